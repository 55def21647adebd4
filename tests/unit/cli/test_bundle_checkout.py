"""A bundle records a commit without `-dirty` only if its sources are as committed."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli.bundle.checkout import Checkout, checkout, sources

Git = Callable[..., str]


def changed(policy: Path, environment: str = "dev") -> tuple[str, ...]:
    """Return the paths of what is not as committed."""
    return tuple(each.path for each in checkout(policy, environment).changed)


def why(policy: Path, path: str) -> str:
    """Return why a file is not as committed."""
    return {each.path: each.why for each in checkout(policy, "dev").changed}[path]


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
def test_an_uncommitted_source_marks_the_commit(policy: Path, git: Git, path: str) -> None:
    place = policy / path
    place.parent.mkdir(exist_ok=True)
    place.write_text("y\n")
    found = checkout(policy, "dev")
    assert found.commit == git("rev-parse", "HEAD") + "-dirty"
    assert [each.path for each in found.changed] == [path]


def test_a_deleted_file_marks_the_commit(policy: Path) -> None:
    (policy / "bundles/dev/rules/a.yaml").unlink()
    assert changed(policy) == ("bundles/dev/rules/a.yaml",)


@pytest.mark.parametrize("path", ["README.md", "bundles/prod/rules/a.yaml", "bundles/dev/rules/.a.yaml.swp", "new"])
def test_a_file_that_no_build_reads_does_not_mark_the_commit(policy: Path, path: str) -> None:
    (policy / path).write_text("y\n")
    assert changed(policy) == ()


def test_a_policy_below_the_root_of_a_checkout_is_looked_at_alone(policy: Path, git: Git) -> None:
    below = policy / "below"
    (below / "bundles/dev").mkdir(parents=True)
    (below / "bundles/dev/environment.yaml").write_text("name: dev\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    (policy / "bundles/dev/rules/a.yaml").write_text("y\n")
    assert checkout(below, "dev").commit == git("rev-parse", "HEAD")
    (below / "bundles/dev/environment.yaml").write_text("name: prod\n")
    assert changed(below) == ("below/bundles/dev/environment.yaml",)


def test_a_directory_without_checkout_is_reported_in_the_words_of_git(tmp_path: Path, git: Git) -> None:
    found = checkout(tmp_path, "dev")
    assert (found.commit, found.author) == ("", "")
    assert "not a git repository" in found.unknown


def test_without_git_nothing_is_known(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = checkout(policy, "dev")
    assert found.commit == ""
    assert "git does not start or respond" in found.unknown


def test_a_changed_target_of_a_link_marks_the_commit(policy: Path, git: Git) -> None:
    for name in ("shared/a.yaml", "lone.yaml", "unused/a.yaml"):
        (policy / name).parent.mkdir(exist_ok=True)
        (policy / name).write_text("x\n")
    (policy / "bundles/dev/rules/shared").symlink_to("../../../shared")
    (policy / "bundles/dev/rules/lone.yaml").symlink_to("../../../lone.yaml")
    assert changed(policy) == (
        "bundles/dev/rules/lone.yaml",
        "bundles/dev/rules/shared",
        "lone.yaml",
        "shared/a.yaml",
    )
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    (policy / "unused/a.yaml").write_text("y\n")
    assert changed(policy) == ()
    (policy / "shared/a.yaml").write_text("y\n")
    assert changed(policy) == ("shared/a.yaml",)


def test_a_name_that_begins_like_a_comment_is_built_and_marks_it(policy: Path) -> None:
    (policy / "bundles/dev/rules/#a.yaml").write_text("y\n")
    assert changed(policy) == ("bundles/dev/rules/#a.yaml",)


def test_a_readme_beside_the_documents_does_not(policy: Path) -> None:
    (policy / "bundles/dev/README.md").write_text("y\n")
    assert changed(policy) == ()


def test_a_file_that_git_was_told_to_take_as_unchanged_marks_it(policy: Path, git: Git) -> None:
    for number, flag in enumerate(("--assume-unchanged", "--skip-worktree")):
        (policy / "bundles/dev/rules/a.yaml").write_text(f"{number}\n")
        git("update-index", flag, "bundles/dev/rules/a.yaml")
        assert git("status", "--porcelain") == ""
        assert why(policy, "bundles/dev/rules/a.yaml") == "differs from the commit"


def test_a_file_left_out_by_a_sparse_checkout_marks_it(policy: Path, git: Git) -> None:
    git("sparse-checkout", "set", "--no-cone", "/*", "!/bundles/dev/rules/")
    assert git("status", "--porcelain") == ""
    assert why(policy, "bundles/dev/rules/a.yaml") == "is in the commit and was not read"


def test_a_staged_file_marks_it(policy: Path, git: Git) -> None:
    (policy / "bundles/dev/rules/a.yaml").write_text("y\n")
    git("add", ".")
    assert changed(policy) == ("bundles/dev/rules/a.yaml",)


@pytest.mark.parametrize(
    ("attributes", "why_not"),
    [("filter=own", "a filter of .gitattributes"), ("text eol=crlf", "has other line endings")],
)
def test_a_file_that_git_converts_is_not_what_the_commit_holds(
    policy: Path, git: Git, attributes: str, why_not: str
) -> None:
    git("config", "filter.own.smudge", "sed s/x/allow/")
    git("config", "filter.own.clean", "sed s/allow/x/")
    (policy / ".gitattributes").write_text(f"*.yaml {attributes}\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    (policy / "bundles/dev/rules/a.yaml").unlink()
    git("checkout", "--", ".")
    assert git("status", "--porcelain") == ""
    assert why_not in why(policy, "bundles/dev/rules/a.yaml")


def test_a_replaced_commit_or_blob_is_not_taken_for_the_commit(policy: Path, git: Git) -> None:
    first = git("rev-parse", "HEAD")
    (policy / "bundles/dev/rules/a.yaml").write_text("y\n")
    git("commit", "--quiet", "--all", "--message", "second", "--author", "Eve <eve@example.com>")
    second = git("rev-parse", "HEAD")
    git("reset", "--quiet", "--hard", first)
    git("replace", first, second)
    git("checkout", "--quiet", "--force", first)
    (policy / "bundles/dev/rules/a.yaml").write_text("y\n")
    found = checkout(policy, "dev")
    assert (found.commit, found.author) == (f"{first}-dirty", "Alice <alice@example.com>")


def test_a_mailmap_does_not_rename_the_author(policy: Path) -> None:
    (policy / ".mailmap").write_text("Bob <bob@example.com> <alice@example.com>\n")
    assert checkout(policy, "dev").author == "Alice <alice@example.com>"


def test_a_submodule_counts_as_the_commit_that_the_tree_names(
    policy: Path, git: Git, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "b.yaml").write_text("x\n")
    git("-C", str(other), "init", "--quiet")
    git("-C", str(other), "add", ".")
    git("-C", str(other), "commit", "--quiet", "--message", "first")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "bundles/dev/rules/shared")
    git("commit", "--quiet", "--message", "second")
    inner = policy / "bundles/dev/rules/shared"
    assert changed(policy) == ()
    git("config", "submodule.bundles/dev/rules/shared.ignore", "all")
    (inner / "b.yaml").write_text("y\n")
    assert why(policy, "bundles/dev/rules/shared/b.yaml") == "differs from the commit"
    git("-C", str(inner), "commit", "--quiet", "--all", "--message", "unknown to the policy")
    assert git("status", "--porcelain") == ""
    assert changed(policy) == ("bundles/dev/rules/shared/b.yaml",)
    git("submodule", "--quiet", "deinit", "--force", "--all")
    assert why(policy, "bundles/dev/rules/shared") == "its commit is not available here"


def test_a_name_in_another_case_marks_it(policy: Path) -> None:
    (policy / "bundles/dev/rules/a.yaml").rename(policy / "bundles/dev/rules/A.yaml")
    assert why(policy, "bundles/dev/rules/A.yaml") == "is `bundles/dev/rules/a.yaml` in the commit"
    assert why(policy, "bundles/dev/rules/a.yaml") == "is in the commit and was not read"


def test_a_link_to_what_git_does_not_keep_marks_it(policy: Path, git: Git) -> None:
    (policy / "secret.yaml").write_text("x\n")
    (policy / "bundles/dev/rules/b.yaml").symlink_to("../../../secret.yaml")
    git("add", "bundles")
    git("commit", "--quiet", "--message", "second")
    assert git("status", "--porcelain") == ""
    assert why(policy, "secret.yaml") == "is not in the commit"


def test_another_target_of_a_link_and_a_file_in_its_place_mark_it(policy: Path, git: Git) -> None:
    for name in ("one.yaml", "two.yaml"):
        (policy / name).write_text("x\n")
    link = policy / "bundles/dev/rules/b.yaml"
    os.symlink(".//../../../one.yaml", link)  # noqa: PTH211 - a Path drops `./`
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    assert changed(policy) == ()
    link.unlink()
    link.symlink_to("../../../two.yaml")
    assert why(policy, "bundles/dev/rules/b.yaml") == "differs from the commit"
    link.unlink()
    link.write_text("x\n")
    assert why(policy, "bundles/dev/rules/b.yaml") == "is a link either here or in the commit, but not in both"


def test_a_link_to_a_directory_without_files_is_as_committed(policy: Path, git: Git) -> None:
    (policy / "shared").mkdir()
    (policy / "shared/README.md").write_text("x\n")
    (policy / "bundles/dev/rules/shared").symlink_to("../../../shared")
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    assert changed(policy) == ()


def test_a_file_deleted_behind_a_link_marks_the_commit(policy: Path, git: Git) -> None:
    (policy / "shared/deep").mkdir(parents=True)
    (policy / "shared/deep/b.yaml").write_text("x\n")
    (policy / "bundles/dev/rules/shared").symlink_to("../../../shared")
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    assert changed(policy) == ()
    (policy / "shared/deep/b.yaml").unlink()
    assert why(policy, "shared/deep/b.yaml") == "is in the commit and was not read"


def test_the_read_content_is_compared_even_if_the_file_changes_later(policy: Path) -> None:
    (policy / "bundles/dev/rules/a.yaml").write_text("y\n")
    read = sources(policy, "dev")
    (policy / "bundles/dev/rules/a.yaml").write_text("x\n")
    assert [each.path for each in checkout(policy, "dev", read).changed] == ["bundles/dev/rules/a.yaml"]


def test_a_repository_with_longer_ids_is_compared_as_well(tmp_path_factory: pytest.TempPathFactory, git: Git) -> None:
    policy = tmp_path_factory.mktemp("policy")
    (policy / "bundles/dev").mkdir(parents=True)
    (policy / "bundles/dev/environment.yaml").write_text("name: dev\n")
    git("-C", str(policy), "init", "--quiet", "--object-format=sha256")
    git("-C", str(policy), "add", ".")
    git("-C", str(policy), "commit", "--quiet", "--message", "first")
    assert changed(policy) == ()
