"""A journal of an earlier gateway is read, counted, shown, replayed and explained by this one.

`earlier/journal-COMMIT` was written by a gateway of that commit, while a client of the official SDK used the demo
server.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import Result

from gateway.journal.reader import read

Run = Callable[..., Result]
EARLIER: Final = Path(__file__).parent / "earlier"
WRITTEN: Final = {"bc1f6d8": {"decided": 12, "completed": 7}}
"""Records of two kinds in each journal."""
COMMITS: Final = sorted(place.name.removeprefix("journal-") for place in EARLIER.glob("journal-*"))


@pytest.fixture(params=COMMITS)
def commit(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def journal(commit: str) -> Path:
    return EARLIER / f"journal-{commit}"


def test_there_are_journals_of_earlier_gateways() -> None:
    assert COMMITS


def test_every_record_is_read_and_counted(commit: str, journal: Path, run: Run) -> None:
    lines = sum(len(segment.read_bytes().splitlines()) for segment in journal.glob("*.jsonl"))
    kinds = Counter(record["kind"] for record in read(journal))
    assert kinds.total() == lines > 20
    assert {kind: kinds[kind] for kind in WRITTEN[commit]} == WRITTEN[commit]
    stats = run("journal", "stats", "--json", "--journal", journal)
    assert stats.exit_code == 0, stats.output
    assert json.loads(stats.stdout)["counts"]["outcome"] == {"allow": 6, "deny": 6, "refused": 1}


def test_each_call_is_shown_with_why_it_was_refused(journal: Path, run: Run) -> None:
    refused = [record for record in read(journal) if record.get("outcome") == "deny"]
    assert len(refused) == 6
    for record in refused:
        shown = run("journal", "show", record["call_id"], "--journal", journal)
        assert shown.exit_code == 0, shown.output
        assert record["reasons"][0]["requirement"] in shown.output


@pytest.mark.parametrize("candidate", ["the bundle of then", "the policy of today"])
def test_every_decision_is_replayed_and_comes_out_as_it_did(
    candidate: str, commit: str, journal: Path, repository: Path, run: Run
) -> None:
    bundle: tuple[Any, ...] = ("--bundle", EARLIER / f"dev-{commit}.tar.gz")
    wanted = bundle if candidate == "the bundle of then" else ("--policy", repository, "-e", "dev")
    replayed = run("replay", "--format", "json", *wanted, "--journal", journal)
    assert replayed.exit_code == 0, replayed.output
    report = json.loads(replayed.stdout)
    assert (report["passes"], report["replayed"], report["flips"], report["not_replayed"]) == (True, 12, [], {})


def test_a_refusal_is_explained_by_the_policy_of_today(journal: Path, repository: Path, run: Run) -> None:
    refused = next(
        record for record in read(journal) if '"name":"delete_file"' in json.dumps(record, separators=(",", ":"))
    )
    explained = run("explain", refused["call_id"], "--policy", repository, "-e", "dev", "--journal", journal)
    assert explained.exit_code == 0, explained.output
    assert "deny" in explained.output
    assert "delete_file" in explained.output
