"""From `init` to a rollback: the script that every policy repository carries, run as a person would run it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

DEADLINE_S: Final = 600
STEPS: Final = (
    "tested, built twice alike, signed",
    "published and enforced by both gateways",
    "the smoke test passes, and fails where another list is wanted",
    "a loosening that nobody explained is refused by the replay, and marked in the report",
    "explained, it passes",
    "merged, it is built, signed, published and enforced",
    "a week later the same content is enforced under a higher number",
    "stopped: both gateways refuse the agent",
    "the smoke test sees what is refused",
    "rolled back, under a new number, and enforced by both gateways",
    "the next weekly run does not bring back what was taken back",
)


def ran(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for name in ("AUTHOR", "COMMITTER"):
        environ |= {f"GIT_{name}_NAME": "Rehearsal", f"GIT_{name}_EMAIL": "rehearsal@example.com"}
    done = subprocess.run(
        command, cwd=directory, env=environ, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def test_a_policy_goes_from_a_commit_to_two_gateways_and_back(tmp_path: Path) -> None:
    ran(tmp_path, "mcp-admission", "init", "policies", "--owner", "security@example.com")
    repository = tmp_path / "policies"
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message", "The first policy")):
        ran(repository, "git", *command)
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
    assert "There is no step deploy" in done.stderr
