"""From `init` to a rollback: the script that every policy repository carries, run as a person would run it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

DEADLINE_S: Final = 1_800
STEPS: Final = (
    "tested, built twice with the same result, signed",
    "published and enforced by both gateways",
    "the smoke test passes, and fails if another list is expected",
    "a loosening that is not explained fails the replay and is marked in the report",
    "with an explanation, the replay passes",
    "merged, built, signed, published and enforced",
    "a week later the same content is enforced under a higher number",
    "stopped: both gateways refuse the agent",
    "the smoke test detects the stop",
    "rolled back under a new number, enforced by both gateways",
    "the next weekly run does not publish the rolled back content again",
)


ENVIRON: Final = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    **{f"GIT_{name}_NAME": "Rehearsal" for name in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{name}_EMAIL": "rehearsal@example.com" for name in ("AUTHOR", "COMMITTER")},
}


def ran(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=directory, env=ENVIRON, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def committed(repository: Path) -> None:
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "The policy")):
        ran(repository, "git", *command)


def initialized(directory: Path) -> Path:
    ran(directory, "mcp-admission", "init", "policies", "--owner", "security@example.com")
    return directory / "policies"


def rename_the_server(repository: Path) -> None:
    """Give the mail server another name and another file, and its tools other names."""
    for place in sorted((repository / "bundles/production").rglob("*.yaml")):
        text = place.read_text().replace("servers: [mail]", "servers: [post]").replace("server: mail", "server: post")
        place.write_text(text.replace("_mail", "_letter"))
    catalog = repository / "bundles/production/catalog"
    (catalog / "mail.yaml").rename(catalog / "letters.yaml")


def rename_the_environments(repository: Path) -> None:
    """Leave no environment `production`, and none with a name or an agent of the template."""
    shutil.rmtree(repository / "bundles/dev")
    (repository / "bundles/production").rename(repository / "bundles/live")
    settings = repository / "bundles/live/environment.yaml"
    settings.write_text(settings.read_text().replace("name: production", "name: live"))
    agent = repository / "bundles/live/agents/support-bot.yaml"
    agent.write_text(agent.read_text().replace("agent: support-bot", "agent: clerk"))
    scenarios = repository / "bundles/live/scenarios/mail.yaml"
    scenarios.write_text(scenarios.read_text().replace("agent: support-bot", "agent: clerk"))


def everything_renamed(directory: Path) -> Path:
    """Server, tools, agent and environment have other names, and the policy is a directory of a larger repository."""
    repository = initialized(directory)
    rename_the_server(repository)
    rename_the_environments(repository)
    (directory / "other.txt").write_text("x\n")
    committed(directory)
    return repository


def nothing_of_the_template(directory: Path) -> Path:
    """No rules, no scenarios, no servers, no agents, no Rego, no .gitignore; changes that were expected once."""
    repository = initialized(directory)
    shutil.rmtree(repository / "rego")
    shutil.rmtree(repository / "bundles/production")
    for name in ("rules", "scenarios", "catalog", "agents", "data"):
        shutil.rmtree(repository / "bundles/dev" / name)
    (repository / "bundles/dev/environment.yaml").write_text("name: dev\n")
    (repository / ".gitignore").unlink()
    (repository / "expected-changes.yaml").write_text("changes: []\n")
    return repository


@pytest.mark.parametrize("change", [everything_renamed, nothing_of_the_template])
def test_a_changed_repository_is_rehearsed(tmp_path: Path, change: Callable[[Path], Path]) -> None:
    repository = change(tmp_path)
    if not (tmp_path / ".git").exists():
        committed(repository)
    said = ran(repository, "bash", "ci/rehearse.sh").stdout
    assert tuple(re.findall(r"^ +[0-9.]+ s  (.*)$", said, re.MULTILINE)) == STEPS


REFUSING: Final = """\
# METADATA
# title: Servers are ours
# description: Only the servers of the list are used.
# custom: {severity: high, remedy: Ask for it.}
package mcp.requirements.servers_are_ours

met if input.server.id == "mail"
"""
ITS_TEST: Final = """\
package mcp.requirements.servers_are_ours_test

import data.mcp.requirements.servers_are_ours

test_mail if servers_are_ours.met with input.server.id as "mail"
"""


@pytest.mark.parametrize(
    ("missing", "needs"),
    [
        ("commit", "The rehearsal needs a commit"),
        ("git", "The rehearsal needs a git repository"),
        ("policy.sh", "The rehearsal needs `ci/policy.sh` in the last commit"),
        ("name", "The rehearsal needs the name `bundles/rehearsal` for itself"),
        ("permission", "The rehearsal needs requirements of your own that permit rehearsal-bot"),
    ],
)
def test_a_rehearsal_says_what_it_needs(tmp_path: Path, missing: str, needs: str) -> None:
    repository = initialized(tmp_path)
    if missing == "policy.sh":
        (repository / "ci/policy.sh").unlink()
    if missing == "name":
        shutil.copytree(repository / "bundles/dev", repository / "bundles/rehearsal")
    if missing == "permission":
        own = repository / "rego/mcp/requirements/servers_are_ours"
        own.mkdir()
        (own / "servers_are_ours.rego").write_text(REFUSING)
        (own / "servers_are_ours_test.rego").write_text(ITS_TEST)
    if missing == "commit":
        ran(repository, "git", "init", "--quiet")
    elif missing != "git":
        committed(repository)
    done = subprocess.run(
        ["bash", "ci/rehearse.sh"], cwd=repository, env=ENVIRON, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert needs in done.stderr


def test_a_policy_goes_from_a_commit_to_two_gateways_and_back(tmp_path: Path) -> None:
    repository = initialized(tmp_path)
    committed(repository)
    said = ran(repository, "bash", "ci/rehearse.sh").stdout
    print(said)  # noqa: T201 - `make policy-ci` shows the times
    assert tuple(re.findall(r"^ +[0-9.]+ s  (.*)$", said, re.MULTILINE)) == STEPS
    history = re.findall(r'"because": ?"([^"]+)"', said)
    assert history[0] == "Deleting was a mistake"
    assert len(history) == 4
    assert ran(repository, "git", "status", "--porcelain").stdout == "", "a rehearsal changes no file of the repository"


def test_a_step_that_nobody_knows_is_told(tmp_path: Path) -> None:
    ran(tmp_path, "mcp-admission", "init", "policies")
    done = subprocess.run(
        ["bash", "ci/policy.sh", "deploy"], cwd=tmp_path / "policies", capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Unknown step deploy" in done.stderr
