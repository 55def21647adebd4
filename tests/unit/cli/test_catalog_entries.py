"""`catalog diff` compares the entries that the build reads, also behind links, and no others."""

from pathlib import Path

import click
import pytest

from gateway.cli.catalog.entries import entries


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    put(tmp_path / "bundles/dev/environment.yaml", "name: dev\n")
    put(tmp_path / "bundles/dev/catalog/one.yaml", server("one"))
    put(tmp_path / "bundles/prod/catalog/two.yaml", server("two"))
    put(tmp_path / "shared/three.yaml", server("three"))
    (tmp_path / "bundles/dev/catalog/shared").symlink_to("../../../shared")
    (tmp_path / "bundles/dev/catalog/lone.yaml").symlink_to("../../prod/catalog/two.yaml")
    return tmp_path


def put(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def server(name: str) -> str:
    return f"server: {name}\nurl: https://{name}.example/mcp\nowner: a@example.com\n"


def names(path: Path) -> list[str]:
    return [str(one["server"]) for one in entries(path)]


@pytest.mark.parametrize("below", ["bundles/dev", "bundles/dev/catalog"])
def test_an_environment_is_read_behind_its_links(policy: Path, below: str) -> None:
    assert names(policy / below) == ["two", "one", "three"]


def test_a_policy_repository_is_read_environment_by_environment(policy: Path) -> None:
    assert names(policy) == ["two", "one", "three", "two"]


def test_a_directory_that_is_no_environment_and_a_file_are_read(policy: Path) -> None:
    assert names(policy / "shared") == ["three"]
    assert names(policy / "shared/three.yaml") == ["three"]


def test_a_relative_path_is_read_the_same(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(policy / "bundles/dev")
    assert names(Path()) == ["two", "one", "three"]


def test_an_entry_that_the_build_does_not_read_is_refused_or_left_out(policy: Path) -> None:
    put(policy / "bundles/dev/.hidden/four.yaml", server("four"))
    with pytest.raises(click.ClickException, match="hidden directory"):
        names(policy / "bundles/dev")
    with pytest.raises(click.ClickException, match="hidden directory"):
        names(policy)
    (policy / "bundles/dev/.hidden/four.yaml").unlink()
    (policy / "bundles/dev/.hidden").rmdir()
    (policy / "bundles/dev/catalog/gone.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(click.ClickException, match="does not exist"):
        names(policy / "bundles/dev")
