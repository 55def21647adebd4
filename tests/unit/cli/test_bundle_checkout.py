"""A bundle names a commit as such only where what is built is what was committed."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli.bundle.checkout import Checkout, checkout

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    who = ("-c", "user.name=Alice", "-c", "user.email=alice@example.com")

    def run(*words: str) -> str:
        ran = subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    return run


@pytest.fixture
def policy(tmp_path: Path, git: Git) -> Path:
    for path in ("rego/mcp/lib/own/x/x.rego", "bundles/dev/rules/a.yaml", "bundles/prod/rules/a.yaml", "README.md"):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("x\n")
    (tmp_path / ".gitignore").write_text("secret*\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_clean_checkout_is_its_commit(policy: Path, git: Git) -> None:
    assert checkout(policy, "dev") == Checkout(
        commit=git("rev-parse", "HEAD"), author="Alice <alice@example.com>", changed=()
    )


@pytest.mark.parametrize(
    "path",
    [
        "rego/mcp/lib/own/x/x.rego",
        "rego/mcp/lib/own/x/more.rego",
        "bundles/dev/rules/a.yaml",
        "bundles/dev/rules/ä b.yaml",
        "bundles/dev/rules/secret.yaml",
        "bundles/dev/secret/x.yaml",
    ],
)
def test_what_is_built_and_not_committed_marks_it(policy: Path, git: Git, path: str) -> None:
    place = policy / path
    place.parent.mkdir(exist_ok=True)
    place.write_text("y\n")
    found = checkout(policy, "dev")
    assert found.commit == git("rev-parse", "HEAD") + "-dirty"
    assert found.changed == (path if path != "bundles/dev/secret/x.yaml" else "bundles/dev/secret/",)


def test_what_is_deleted_marks_it(policy: Path) -> None:
    (policy / "bundles/dev/rules/a.yaml").unlink()
    assert checkout(policy, "dev").changed == ("bundles/dev/rules/a.yaml",)


@pytest.mark.parametrize("path", ["README.md", "bundles/prod/rules/a.yaml", "bundles/dev/rules/.a.yaml.swp", "new"])
def test_what_no_build_of_it_reads_does_not(policy: Path, path: str) -> None:
    (policy / path).write_text("y\n")
    assert checkout(policy, "dev").changed == ()


def test_a_policy_below_the_root_of_a_checkout_is_looked_at_alone(policy: Path, git: Git) -> None:
    below = policy / "below"
    (below / "bundles/dev").mkdir(parents=True)
    (below / "bundles/dev/environment.yaml").write_text("name: dev\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    (policy / "bundles/dev/rules/a.yaml").write_text("y\n")
    assert checkout(below, "dev").commit == git("rev-parse", "HEAD")
    (below / "bundles/dev/environment.yaml").write_text("name: prod\n")
    assert checkout(below, "dev").changed == ("below/bundles/dev/environment.yaml",)


def test_what_is_no_checkout_is_said_in_the_words_of_git(tmp_path: Path, git: Git) -> None:
    found = checkout(tmp_path, "dev")
    assert (found.commit, found.author) == ("", "")
    assert "not a git repository" in found.unknown


def test_without_git_nothing_is_known(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = checkout(policy, "dev")
    assert found.commit == ""
    assert "git does not answer" in found.unknown


def test_what_a_link_leads_to_marks_it(policy: Path, git: Git) -> None:
    for name in ("shared/a.yaml", "lone.yaml", "unused/a.yaml"):
        (policy / name).parent.mkdir(exist_ok=True)
        (policy / name).write_text("x\n")
    (policy / "bundles/dev/rules/shared").symlink_to("../../../shared")
    (policy / "bundles/dev/rules/lone.yaml").symlink_to("../../../lone.yaml")
    assert checkout(policy, "dev").changed == (
        "bundles/dev/rules/lone.yaml",
        "bundles/dev/rules/shared",
        "lone.yaml",
        "shared/a.yaml",
    )
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    (policy / "unused/a.yaml").write_text("y\n")
    assert checkout(policy, "dev").changed == ()
    (policy / "shared/a.yaml").write_text("y\n")
    assert checkout(policy, "dev").changed == ("shared/a.yaml",)


def test_a_name_that_begins_like_a_comment_is_built_and_marks_it(policy: Path) -> None:
    (policy / "bundles/dev/rules/#a.yaml").write_text("y\n")
    assert checkout(policy, "dev").changed == ("bundles/dev/rules/#a.yaml",)


def test_a_readme_beside_the_documents_does_not(policy: Path) -> None:
    (policy / "bundles/dev/README.md").write_text("y\n")
    assert checkout(policy, "dev").changed == ()
