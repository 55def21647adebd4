"""Conditions that keep a worker from passing calls are logged when they begin and when they end."""

from typing import Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.opa.readiness_report import Readiness
from gateway.supervisor.readiness_log import EVERY_S, REMEDIES, START_S, ReadinessLog

FULL: Final = "journal (/journal: No space left on device)"


class Logged:
    """A log, and a clock that a test moves."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []
        self.now = 0.0
        self.log: Final = ReadinessLog(self.take, lambda: self.now)

    def take(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def look(self, *missing: str, after_s: float = 1.0) -> list[str]:
        """Let time pass, look at one worker that lacks these, and return the names of the new events."""
        self.now += after_s
        before = len(self.events)
        self.log.look([Readiness(missing=missing)])
        return [event for event, _ in self.events[before:]]


def test_a_full_journal_disk_is_logged_with_its_cause_and_remedy_and_so_is_its_end() -> None:
    logged = Logged()
    assert logged.look() == []
    assert logged.look(FULL) == ["worker_unready"]
    assert logged.events[-1][1]["missing"] == FULL
    assert logged.events[-1][1]["worker"] == 0
    assert "free space for `journal.directory`" in str(logged.events[-1][1]["remedy"])
    assert logged.look(FULL, after_s=600) == []
    assert logged.look() == ["worker_ready"]


def test_another_detail_of_the_same_is_no_news_and_another_cause_is() -> None:
    logged = Logged()
    logged.look()
    logged.look(FULL)
    assert logged.look("journal (nothing could be written for 7 s)", after_s=EVERY_S) == []
    assert logged.look(FULL, "decision (policy_unavailable: x)") == ["worker_unready"]


def test_that_opa_begins_is_not_logged_unless_it_takes_too_long() -> None:
    logged = Logged()
    assert logged.look("running") == []
    assert logged.look("opa") == []
    assert logged.look("decision (policy_unavailable: x)", "bundle", after_s=START_S - 5) == []
    assert logged.look("decision (policy_unavailable: x)", "bundle", after_s=5) == ["worker_unready"]


def test_a_full_disk_at_the_start_is_logged_at_once_and_alone() -> None:
    logged = Logged()
    assert logged.look("opa", FULL) == ["worker_unready"]
    assert logged.events[-1][1]["missing"] == FULL
    assert logged.look("opa", after_s=EVERY_S) == []
    assert logged.look() == ["worker_ready"]


def test_a_worker_that_is_replaced_is_reported_by_other_events() -> None:
    logged = Logged()
    logged.look()
    assert logged.look("running", after_s=100) == []


def test_a_worker_that_flaps_is_logged_at_most_every_ten_seconds_and_last_as_it_is() -> None:
    logged = Logged()
    for turn in range(101):
        logged.look(*([FULL] if turn % 2 else []))
    assert len(logged.events) <= 101 / EVERY_S + 1
    logged.look(after_s=EVERY_S)
    assert logged.events[-1][0] == "worker_ready"


@given(st.lists(st.sampled_from(["", FULL, "bundle", "answer"]), max_size=40), st.floats(0.5, 20))
def test_the_log_shows_the_final_state_after_a_while(states: list[str], step_s: float) -> None:
    logged = Logged()
    logged.look()
    for state in states:
        logged.look(*([state] if state else []), after_s=step_s)
    for _ in range(2):
        logged.look(*([states[-1]] if states and states[-1] else []), after_s=EVERY_S)
    last = logged.events[-1] if logged.events else ("worker_ready", dict[str, object]())
    assert (last[0] == "worker_unready") == bool(states and states[-1])
    if states and states[-1]:
        assert last[1]["missing"] == states[-1]


def test_workers_are_logged_separately() -> None:
    logged = Logged()
    logged.log.look([Readiness(missing=()), Readiness(missing=())])
    logged.log.look([Readiness(missing=()), Readiness(missing=(FULL,))])
    assert [(event, fields["worker"]) for event, fields in logged.events] == [("worker_unready", 1)]


@pytest.mark.parametrize("kind", sorted(REMEDIES))
def test_each_remedy_is_a_text(kind: str) -> None:
    assert len(REMEDIES[kind]) > 20
    assert not get_args(kind)
