"""Every entry below an environment or `rego/` is read or is a problem, regardless of its type."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.build import Builder, Built, PolicySource
from gateway.policy.checking import environments
from gateway.policy.rego.overlay import lay
from gateway.policy.sources.environment import Environment, EnvironmentReader
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.source_files import BESIDE

Put = Callable[[str, str], Path]
NOW: Final = 1_795_000_000.0


def rule(name: str) -> str:
    return f"rules:\n  - {{rule: {name}, effect: deny, reason: x}}\n"


def rules(policy: Path, *, editing: bool = False) -> list[str] | list[Problem]:
    """The ids of the rules that are read, or the problems."""
    found = EnvironmentReader().read(policy, "dev", editing=editing)
    if isinstance(found, Environment):
        return sorted(entry["rule"] for _, _, entry in found.rules_placed())
    assert all(each.remedy and str(each).encode().decode().isprintable() for each in found), found
    return found


def refused(policy: Path, *, editing: bool = False) -> dict[str, str]:
    """File below the environment -> what is said of it."""
    found = EnvironmentReader().read(policy, "dev", editing=editing)
    assert isinstance(found, list), found
    return {problem.file.removeprefix("bundles/dev/"): f"{problem.what} {problem.remedy}" for problem in found}


@pytest.fixture
def dev(policy: Path) -> Path:
    return policy / "bundles/dev"


def test_a_linked_directory_is_read(policy: Path, dev: Path, put: Put) -> None:
    put("shared/deny.yaml", rule("shared"))
    (dev / "rules/shared").symlink_to("../../../shared")
    assert rules(policy) == ["bot-reads", "shared"]


def test_a_linked_file_is_read(policy: Path, dev: Path, put: Put) -> None:
    put("shared/deny.yaml", rule("shared"))
    (dev / "rules/deny.yaml").symlink_to(policy / "shared/deny.yaml")
    assert rules(policy) == ["bot-reads", "shared"]


def test_a_linked_kind_of_documents_and_a_link_to_a_link_are_read(policy: Path, dev: Path, put: Put) -> None:
    (dev / "rules").rename(policy / "common")
    put("common/deep/deny.yaml", rule("deep"))
    (policy / "step").symlink_to("common")
    (dev / "rules").symlink_to("../../step")
    assert rules(policy) == ["bot-reads", "deep"]


def test_a_linked_environment_is_read(policy: Path, dev: Path) -> None:
    dev.rename(policy / "real")
    dev.symlink_to("../real")
    assert rules(policy) == ["bot-reads"]
    assert environments(policy) == ["dev"]


def test_a_linked_policy_directory_is_read(policy: Path) -> None:
    link = policy.parent / "current"
    link.symlink_to(policy)
    assert rules(link) == ["bot-reads"]


def test_an_environment_that_is_a_broken_link_is_a_problem(policy: Path) -> None:
    (policy / "bundles/production").symlink_to("../gone")
    assert environments(policy) == ["dev", "production"]
    found = EnvironmentReader().read(policy, "production")
    assert isinstance(found, list)
    assert [each.what for each in found] == ["is a link to a file that does not exist."]


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        ("rules/out.yaml", "{outside}/deny.yaml", "is a link out of the policy repository"),
        ("rules/out", "{outside}", "is a link out of the policy repository"),
        ("rules/far.yaml", "/etc/hostname", "is a link out of the policy repository"),
        ("rules/device.yaml", "/dev/zero", "is a link out of the policy repository"),
        ("rules/step.yaml", "../../../step.yaml", "is a link out of the policy repository"),
        ("rules/gone.yaml", "gone", "does not exist"),
        ("rules/gone", "../gone", "does not exist"),
        ("rules/self.yaml", "self.yaml", "cannot be resolved"),
        ("rules/loop", "..", "one of its own parent directories"),
        ("rules/loop", ".", "one of its own parent directories"),
        ("rules/all", "../../..", "one of its own parent directories"),
        ("loop", "loop", "cannot be resolved"),
    ],
)
def test_a_link_that_cannot_be_followed_is_a_problem(
    policy: Path, dev: Path, name: str, target: str, said: str
) -> None:
    outside = policy.parent / "outside"
    outside.mkdir()
    (outside / "deny.yaml").write_text(rule("outside"))
    (policy / "step.yaml").symlink_to(outside / "deny.yaml")
    (dev / name).symlink_to(target.format(outside=outside))
    assert said in refused(policy)[name]


def test_links_that_multiply_directories_end_in_a_problem(policy: Path, dev: Path) -> None:
    for number in range(20):
        step = policy / f"step{number}"
        step.mkdir()
        (step / "a").symlink_to(f"../step{number + 1}")
        (step / "b").symlink_to(f"../step{number + 1}")
    (policy / "step20").mkdir()
    (dev / "rules/steps").symlink_to(policy / "step0")
    assert "more than 10000" in " ".join(refused(policy).values())


def mount(directory: Path, files: dict[str, str], at: str = "..2026_11_30_10_00_00.123456789") -> None:
    """Write a volume as the kubelet does, over an earlier one if there is one."""
    copy = directory / at
    for path, text in files.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(text)
    (directory / "..data_tmp").symlink_to(at)
    (directory / "..data_tmp").rename(directory / "..data")
    for name in {path.split("/")[0] for path in files}:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")


def test_a_volume_of_kubernetes_is_read_once_through_its_visible_names(policy: Path, dev: Path) -> None:
    mount(dev / "rules", {"a.yaml": rule("a"), "team/b.yaml": rule("b")})
    assert rules(policy) == ["a", "b", "bot-reads"]
    mount(dev / "rules", {"a.yaml": rule("c"), "team/b.yaml": rule("d")}, "..2026_11_30_11_00_00.5")
    assert rules(policy) == ["bot-reads", "c", "d"]


def test_a_volume_that_is_the_whole_environment_is_read(policy: Path, dev: Path) -> None:
    shutil.rmtree(dev)
    dev.mkdir()
    mount(dev, {"environment.yaml": "name: dev\n", "rules/a.yaml": rule("a")})
    assert rules(policy) == ["a"]


def test_a_file_of_a_volume_without_a_visible_name_is_a_problem(policy: Path, dev: Path) -> None:
    mount(dev / "rules", {"a.yaml": rule("a"), "b.yaml": rule("b")})
    (dev / "rules/b.yaml").unlink()
    assert "no visible name" in refused(policy)["rules/..data/b.yaml"]


@pytest.mark.parametrize("name", ["..2026_11_30_10_00_00.1", "..data", "..other", ".git-sync"])
def test_a_hidden_directory_that_is_not_a_volume_is_a_problem(policy: Path, dev: Path, put: Put, name: str) -> None:
    put(f"bundles/dev/rules/{name}/a.yaml", rule("a"))
    assert "hidden directory" in refused(policy)[f"rules/{name}"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rules/r.yml", "suffix is `.yml`"),
        ("rules/r.json", "suffix is `.json`"),
        ("rules/r.YAML", "Rename it to `r.yaml`"),
        ("rules/r.yaml.txt", "suffix is `.txt`"),
        ("rules/r", "no suffix"),
        ("rules/.r.yaml", "starts with a dot"),
        ("rules/.hidden", "starts with a dot"),
        (".env", "starts with a dot"),
        ("rules/README.yml", "suffix"),
        ("README-deny.yaml", "not a file"),
        ("rule/r.yaml", "Did you mean `rules/`?"),
        ("Rules/r.yaml", "Did you mean `rules/`?"),
        ("agent/r.yaml", "Did you mean `agents/`?"),
        ("catalogue/r.yaml", "Did you mean `catalog/`?"),
        ("r.yaml", "not a file"),
        ("environment.yml", "Rename it to `environment.yaml`"),
        ("Environment.yaml", "not a file"),
        ("README.md/r.yaml", "not a file"),
        ("rules/r.yaml~", "backup file of an editor"),
        ("rules/r.yaml.~1~", "backup file of an editor"),
        ("rules/#r.yaml#", "the autosave file of an editor"),
        ("rules/.#r.yaml", "lock file"),
        ("rules/.~lock.r.yaml#", "lock file"),
        ("rules/.r.yaml.swp", "swap file"),
        ("rules/.r.yaml.swo", "swap file"),
        ("rules/.r.yaml.swn", "Save `r.yaml` in the editor"),
        ("rules/r.yaml.save", "Rename it to `r.yaml`"),
        ("rules/.r.yaml.un~", "undo file"),
        ("rules/.r.yaml.kate-swp", "swap file"),
        ("rules/r.yaml.bak", "a backup"),
        ("rules/r.yaml.orig", "a backup"),
        ("rules/r.yaml.BAK", "a backup"),
        ("rules/r.yaml.tmp", "a temporary file"),
        ("rules/team~/r.yaml~", "backup file of an editor"),
        ("rules/line\nbreak.yaml", "unprintable characters"),
        ("rules/\udcff.yaml", "unprintable characters"),
    ],
)
def test_a_file_that_is_not_a_document_is_a_problem_with_its_reason(
    policy: Path, put: Put, name: str, said: str
) -> None:
    put(f"bundles/dev/{name}", rule("x"))
    for editing in (False, True):
        assert said in " ".join(refused(policy, editing=editing).values())


@pytest.mark.parametrize("name", ["rules.yaml~", "#rules.yaml#", ".#rules.yaml", ".rules.yaml.swp", "rules.yaml.bak"])
def test_a_file_of_an_editor_refuses_a_check_but_not_a_save(policy: Path, dev: Path, put: Put, name: str) -> None:
    put(f"bundles/dev/rules/{name}", rule("x"))
    assert "next to `rules.yaml`" in refused(policy)[f"rules/{name}"]
    assert rules(policy, editing=True) == ["bot-reads"]
    (dev / "rules/rules.yaml").unlink()
    assert "itself does not exist" in refused(policy, editing=True)[f"rules/{name}"]


def test_the_broken_link_of_emacs_is_named_as_a_lock(policy: Path, dev: Path) -> None:
    (dev / "rules/.#rules.yaml").symlink_to("alice@example.com.1:1")
    assert "lock file" in refused(policy)["rules/.#rules.yaml"]
    assert rules(policy, editing=True) == ["bot-reads"]


def test_pipes_and_sockets_are_problems_and_never_waited_for(
    policy: Path, dev: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(dev / "rules/pipe.yaml")
    os.mkfifo(policy / "pipe")
    (dev / "rules/link.yaml").symlink_to(policy / "pipe")
    monkeypatch.chdir(dev / "rules")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.yaml")
        found = refused(policy)
    assert {name: said.partition(".")[0] for name, said in found.items()} == {
        "rules/pipe.yaml": "is a named pipe",
        "rules/link.yaml": "is a named pipe",
        "rules/s.yaml": "is a socket",
    }


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    policy: Path, dev: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = dev / "rules/rules.yaml"
    opened = os.open

    def late(path: Path, *options: int) -> int:
        if path == place:
            place.unlink()
            os.mkfifo(place)
        return opened(path, *options)

    monkeypatch.setattr("os.open", late)
    assert "not a regular file" in refused(policy)["rules/rules.yaml"]


@pytest.mark.parametrize("call", ["os.listdir", "os.open"])
def test_a_file_without_read_permission_is_a_problem(
    policy: Path, dev: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real = getattr(os, call.removeprefix("os."))

    def closed(path: Path, *options: int) -> object:
        if str(path).startswith(str(dev / "rules")):
            raise PermissionError(13, "Permission denied")
        return real(path, *options)

    monkeypatch.setattr(call, closed)
    assert "Permission denied" in " ".join(refused(policy).values())


def test_files_next_to_the_documents_are_accepted(policy: Path, put: Put) -> None:
    for name in BESIDE:
        place = name if not name.endswith("/") else f"more/{name}config"
        put(f"bundles/dev/rules/{place}", rule("x"))
    assert rules(policy) == ["bot-reads"]


def test_two_files_of_data_of_one_name_are_a_problem(builder: Builder, source: PolicySource, put: Put) -> None:
    put("bundles/dev/data/hosts.yaml", "a: 1\n")
    put("bundles/dev/data/team/hosts.yaml", "a: 2\n")
    assert "is already defined in" in str(builder.build(source, NOW))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mcp/requirements/x/x.rego~", "backup file of an editor"),
        ("mcp/requirements/x/.x.rego.swp", "swap file"),
        ("mcp/requirements/x/#x.rego#", "the autosave file of an editor"),
        ("mcp/requirements/x/x.Rego", "is not Rego"),
        ("mcp/requirements/x/x", "is not Rego"),
        ("mcp/requirements/x/.x.rego", "is outside the policy directories"),
        ("mcp/requirement/x/x.rego", "is outside the policy directories"),
        (".hidden/x.rego", "hidden directory"),
        ("README.md/x.rego", "is outside the policy directories"),
        ("schemas/x.rego", "is outside the policy directories"),
    ],
)
def test_every_file_below_rego_is_staged_or_is_a_problem(
    policy: Path, stock: Path, put: Put, name: str, said: str
) -> None:
    put(f"rego/{name}", "package mcp.requirements.x\n")
    problems = lay(policy, stock)[1]
    assert [said in problem.what for problem in problems] == [True], problems
    assert problems[0].file == f"rego/{name}" or said == "hidden directory"


OWN: Final = "package mcp.lib.own.x\n\nkept := 1\n"


def test_a_linked_directory_below_rego_is_laid(policy: Path, stock: Path, put: Put) -> None:
    put("shared/x.rego", OWN)
    (policy / "rego/mcp/lib/own").mkdir(parents=True)
    (policy / "rego/mcp/lib/own/x").symlink_to(policy / "shared")
    sources, problems = lay(policy, stock)
    assert (sources.own, problems) == ({"mcp/lib/own/x/x.rego"}, [])


@pytest.mark.parametrize("shape", ["file", "broken link", "pipe"])
def test_a_rego_that_is_not_a_directory_is_a_problem(policy: Path, stock: Path, shape: str) -> None:
    place = policy / "rego"
    if shape == "file":
        place.touch()
    elif shape == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("gone")
    assert [problem.file for problem in lay(policy, stock)[1]] == ["rego"]


def test_a_linked_rego_directory_is_laid_and_one_outside_is_a_problem(policy: Path, stock: Path, put: Put) -> None:
    put("own/mcp/lib/own/x/x.rego", OWN)
    (policy / "rego").symlink_to("own")
    assert lay(policy, stock)[0].own == {"mcp/lib/own/x/x.rego"}
    shutil.move(policy / "own", policy.parent / "own")
    (policy / "rego").unlink()
    (policy / "rego").symlink_to(policy.parent / "own")
    assert "is a link out of the policy repository" in lay(policy, stock)[1][0].what


def test_a_linked_rule_is_in_the_bundle(builder: Builder, source: PolicySource, policy: Path, put: Put) -> None:
    put("shared/deny.yaml", rule("shared"))
    (policy / "bundles/dev/rules/shared").symlink_to(policy / "shared")
    content = builder.content(source, NOW)
    assert b'"shared"' in getattr(content, "files", {})["data.json"]
    assert isinstance(builder.build(source, NOW), Built)


NAMES: Final = st.sampled_from(
    [
        "rules",
        "rule",
        "a",
        "b",
        ".h",
        "..data",
        "..2026_11_30_10_00_00.1",
        "data",
        "scenarios",
        "a.yaml",
        "x~",
        "old.bak",
    ]
)
FILES: Final = st.sampled_from(
    [
        "r.yaml",
        "s.yaml",
        "r.yml",
        "r",
        ".r.yaml",
        "r.yaml~",
        "#r.yaml#",
        ".r.yaml.swp",
        "environment.yaml",
        "r.tmp.yaml",
    ]
)
SHAPES: Final = st.lists(
    st.tuples(
        st.sampled_from(["file", "file", "linked file", "linked directory", "outside", "pipe", "up"]),
        st.lists(NAMES, max_size=3).map("/".join),
        FILES,
    ),
    min_size=1,
    max_size=5,
)
TARGETS: Final = st.sampled_from(["below rules", "anywhere"])


def shaped(root: Path, shapes: list[tuple[str, str, str]], below: str) -> Iterator[str]:
    """Make the shapes; yield the rule of each that was made."""
    dev = root / "policy/bundles/dev"
    for number, (kind, directory, name) in enumerate(shapes):
        where = dev / ("rules" if below == "below rules" else "") / directory
        made, text = f"r{number}", rule(f"r{number}")
        aside = root / ("outside" if kind == "outside" else "policy/aside") / made
        aside.mkdir(parents=True)
        (aside / name).write_text(text)
        try:
            where.mkdir(parents=True, exist_ok=True)
            match kind:
                case "file":
                    with (where / name).open("x") as file:
                        file.write(text)
                case "linked file" | "outside":
                    (where / name).symlink_to(aside / name)
                case "linked directory":
                    (where / f"d{number}").symlink_to(aside)
                case "pipe":
                    os.mkfifo(where / name)
                case _:
                    (where / f"u{number}").symlink_to("../" * (number + 1))
        except OSError:  # another shape is in its place
            continue
        yield made


@given(SHAPES, TARGETS)
def test_no_file_below_an_environment_is_silently_unread(
    tmp_path_factory: pytest.TempPathFactory, shapes: list[tuple[str, str, str]], below: str
) -> None:
    root = tmp_path_factory.mktemp("shapes")
    (root / "policy/bundles/dev/rules").mkdir(parents=True)
    (root / "policy/bundles/dev/environment.yaml").write_text("name: dev\n")
    made = list(shaped(root, shapes, below))
    found = rules(root / "policy")
    assert found == sorted(made) or any(isinstance(each, Problem) for each in found), found
    shutil.rmtree(root)
