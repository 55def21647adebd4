"""The workflow that publishes policy says what it does: this repository's own, and the one that `init` writes.

Rule 1: there is one text, the template; where this repository must differ is written here, and nowhere else.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from tests.unit.test_policy_script import ROOT, SCRIPT, TEMPLATE

WRITTEN: Final = TEMPLATE / "_github" / "workflows" / "policy.yml"
OWN: Final = ROOT / ".github" / "workflows" / "policy.yml"
DIFFERENCES: Final = (
    # What CI runs lies in `.ci/` here.
    ("bash ci/policy.sh", "bash .ci/policy.sh"),
    # The gateway comes from the checkout, with the requirements whose hashes are pinned.
    (
        "pip install --requirement requirements.txt && mcp-admission opa",
        'make .venv/.run && .venv/bin/mcp-admission opa && echo "$PWD/.venv/bin" >>"$GITHUB_PATH"',
    ),
    # The pin of OPA is a file here, not the version of a package.
    ("hashFiles('requirements.txt')", "hashFiles('gateway/opa/binary.py')"),
    # This repository has no hub: only a copy of it that names one publishes.
    ("if: github.ref == 'refs/heads/main' &&", "if: vars.POLICY_HUB != '' && github.ref == 'refs/heads/main' &&"),
)
BOTH: Final = pytest.mark.parametrize("place", [WRITTEN, OWN], ids=["init", "own"])
JOURNAL_KEY: Final = "POLICY_JOURNAL_KEY"
PROTECTED: Final = frozenset({"MCP_HUB_TOKEN", "POLICY_SIGNING_KEY", "POLICY_SMOKE_TOKEN"})
MAIN: Final = "refs/heads/main"
EVENTS: Final[dict[str, tuple[dict[str, str], list[str]]]] = {
    "a pull request": ({"github.event_name": "pull_request", "github.ref": "refs/pull/7/merge"}, ["check"]),
    "a push to main": ({"github.event_name": "push", "github.ref": MAIN}, ["check", "publish"]),
    "a Monday": ({"github.event_name": "schedule", "github.ref": MAIN}, ["check", "publish"]),
    "a run by hand": ({"github.event_name": "workflow_dispatch", "github.ref": MAIN}, ["check", "publish"]),
    "a run by hand elsewhere": ({"github.event_name": "workflow_dispatch", "github.ref": "refs/heads/x"}, ["check"]),
    "a rollback": ({"github.ref": MAIN, "inputs.rollback": "It was wrong"}, ["rollback"]),
    "a rollback elsewhere": ({"github.ref": "refs/heads/x", "inputs.rollback": "It was wrong"}, []),
}
"""What happens, and the jobs that it starts where there is a hub."""
NEEDS: Final = {
    "replay": {JOURNAL_KEY},
    "sign": {"POLICY_SIGNING_KEY"},
    "publish": {"MCP_HUB_TOKEN"},
    "smoke": {"POLICY_SMOKE_TOKEN"},
    "rollback": {"MCP_HUB_TOKEN", "POLICY_SIGNING_KEY"},
}
"""The secrets that a step of the script needs; no other step has any."""


def workflow(place: Path) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(place.read_text(encoding="utf-8"))  # pyright: ignore[reportUnknownMemberType]


def jobs(place: Path) -> dict[str, Any]:
    return dict(workflow(place)["jobs"])


def steps(place: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step with the name of its job."""
    for name, job in jobs(place).items():
        for step in job["steps"]:
            yield name, step


def words(run: str) -> list[str]:
    """The words with which a piece of shell calls the script."""
    return [word for line in re.findall(r"bash \.?ci/policy\.sh ([a-z ]+)", run) for word in line.split()]


def secrets(value: object) -> set[str]:
    return set(re.findall(r"secrets\.([A-Z_]+)", str(value)))


def known() -> set[str]:
    """The words that the script knows."""
    return set(re.findall(r"^step_([a-z]+)\(\)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE))


def called(place: Path) -> set[str]:
    return {word for _, step in steps(place) for word in words(step.get("run", ""))}


def holds(condition: str, context: dict[str, str]) -> bool:
    """Whether a condition of comparisons with text, joined by `&&`, holds; what is not there is empty."""
    terms = [re.fullmatch(r"([a-zA-Z_.]+) (==|!=) '(.*)'", term) for term in condition.split(" && ")]
    assert all(terms), condition
    return all((context.get(term[1], "") == term[3]) == (term[2] == "==") for term in terms if term is not None)


def reached_by_strangers(job: dict[str, Any]) -> bool:
    """Whether a pull request can run it: its ref is never that of a branch."""
    return "github.ref == 'refs/heads/main' &&" not in job.get("if", "")


def test_our_own_workflow_is_the_one_that_init_writes_but_for_what_must_differ() -> None:
    text = WRITTEN.read_text(encoding="utf-8")
    for theirs, ours in DIFFERENCES:
        assert theirs in text, f"the template no longer says {theirs!r}"
        text = text.replace(theirs, ours)
    assert OWN.read_text(encoding="utf-8") == text


def test_our_own_script_is_the_one_that_init_writes() -> None:
    assert (ROOT / ".ci" / "policy.sh").resolve() == SCRIPT


@BOTH
def test_it_runs_where_the_issue_wants_it(place: Path) -> None:
    on = workflow(place)["on"]
    assert set(on) == {"push", "pull_request", "schedule", "workflow_dispatch"}, "never pull_request_target"
    assert on["push"] == {"branches": ["main"]}
    assert set(on["workflow_dispatch"]["inputs"]) == {"rollback"}
    assert list(jobs(place)) == ["check", "publish", "rollback"]
    assert jobs(place)["publish"]["needs"] == "check"


@BOTH
@pytest.mark.parametrize("event", EVENTS)
def test_each_event_starts_its_jobs_and_no_other(place: Path, event: str) -> None:
    context, wanted = EVENTS[event]
    context = context | {"vars.POLICY_HUB": "https://hub.example.com"}
    assert [name for name, job in jobs(place).items() if holds(job["if"], context)] == wanted


@BOTH
def test_every_run_is_shell_that_bash_reads(place: Path) -> None:
    for name, step in steps(place):
        run = re.sub(r"\$\{\{.*?\}\}", "x", step.get("run", ""))
        read = subprocess.run(["bash", "-n"], input=run, capture_output=True, text=True, check=False)
        assert read.returncode == 0, f"{name}: {read.stderr}"


@BOTH
def test_nothing_that_a_stranger_writes_becomes_shell(place: Path) -> None:
    assert [step["run"] for _, step in steps(place) if "${{" in step.get("run", "")] == []


@BOTH
def test_every_word_that_a_job_calls_is_a_step_and_every_step_is_called(place: Path) -> None:
    assert called(place) == known()


def test_the_head_of_the_script_says_every_step() -> None:
    head = SCRIPT.read_text(encoding="utf-8").partition("set -euo pipefail")[0]
    assert set(re.findall(r"^#   ([a-z]+)  ", head, re.MULTILINE)) == known()


@BOTH
def test_every_variable_that_a_job_gives_is_one_that_the_script_reads(place: Path) -> None:
    head = SCRIPT.read_text(encoding="utf-8").partition("set -euo pipefail")[0]
    given = {name for _, step in steps(place) for name in step.get("env", {}) if words(step.get("run", ""))}
    assert given - {"JOURNAL_KEY"} <= set(re.findall(r"\b(?:POLICY|MCP)_[A-Z_]+", head))


@BOTH
def test_the_order_is_test_replay_build_sign_publish_smoke(place: Path) -> None:
    order = [word for name, step in steps(place) if name != "rollback" for word in words(step.get("run", ""))]
    assert order == ["test", "build", "replay", "diff", "report", "build", "sign", "publish", "smoke"]


@BOTH
def test_permissions_are_to_read_and_where_reviewers_are_told_to_comment(place: Path) -> None:
    assert workflow(place)["permissions"] == {"contents": "read"}
    asked = {name: job["permissions"] for name, job in jobs(place).items() if "permissions" in job}
    assert asked == {"check": {"contents": "read", "pull-requests": "write"}}
    with_token = [step for _, step in steps(place) if "github.token" in str(step)]
    assert [step["run"].split()[:3] for step in with_token] == [["gh", "pr", "comment"]]
    assert "head.repo.full_name == github.repository" in with_token[0]["if"], "a fork's token may not comment"


@BOTH
def test_no_checkout_leaves_its_token_behind(place: Path) -> None:
    checkouts = [step for _, step in steps(place) if "actions/checkout" in step.get("uses", "")]
    assert len(checkouts) == 3
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@BOTH
def test_a_secret_reaches_only_the_step_that_needs_it(place: Path) -> None:
    loose = {name: {key: value for key, value in job.items() if key != "steps"} for name, job in jobs(place).items()}
    assert secrets(loose) == set(), "a secret of a whole job is seen by every action in it"
    for _, step in steps(place):
        needed = {name for word in words(step.get("run", "")) for name in NEEDS.get(word, set[str]())}
        assert secrets(step) == needed, step


@BOTH
def test_a_pull_request_reaches_no_secret_but_the_key_of_the_recorded_calls(place: Path) -> None:
    for name, job in jobs(place).items():
        if reached_by_strangers(job):
            assert secrets(job) <= {JOURNAL_KEY}, name
            assert "environment" not in job
        else:
            assert secrets(job) <= PROTECTED, name
            assert job["environment"] == "production", "its secrets are kept where reviewers guard them"
    assert [name for name, job in jobs(place).items() if reached_by_strangers(job)] == ["check"]


@BOTH
def test_a_rollback_waits_for_no_other_run(place: Path) -> None:
    group = workflow(place)["concurrency"]["group"]
    assert "inputs.rollback && github.run_id" in group, "a run that waits in a group is dropped for a newer one"
    assert "needs" not in jobs(place)["rollback"]


@BOTH
def test_actions_are_those_that_this_repository_uses_itself(place: Path) -> None:
    ours = set(re.findall(r"uses: (\S+)", (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")))
    assert {step["uses"] for _, step in steps(place) if "uses" in step} <= ours
