"""Filters, joins and counts over records."""

from typing import Any

from gateway.journal.query import Filter, LastCalls, joined, select
from gateway.journal.statistics import latency, statistics


def decided(sequence: int, call_id: str, **fields: Any) -> dict[str, Any]:
    place = {"kind": "decided", "at": sequence, "writer": "w", "sequence": sequence}
    return place | {"call_id": call_id, "outcome": "allow", "server": "slack"} | fields


def completed(sequence: int, call_id: str, **fields: Any) -> dict[str, Any]:
    place = {"kind": "completed", "at": sequence, "writer": "w", "sequence": sequence}
    return place | {"call_id": call_id, "outcome": "answered"} | fields


def test_a_completion_is_selected_only_with_its_call() -> None:
    records = [decided(1, "a", server="x"), decided(2, "b"), completed(3, "a"), completed(4, "b"), completed(5, "b")]
    assert [record["sequence"] for record in select(records, Filter(server="slack"))] == [2, 4]


def test_without_a_filter_every_kind_of_record_is_shown() -> None:
    counted = {"kind": "counted", "at": 1, "writer": "w", "sequence": 9}
    assert list(select([counted], Filter())) == [counted]
    assert list(select([counted], Filter(server="slack"))) == []


def test_a_filter_by_rule_matches_grounds_reasons_and_codes() -> None:
    by_ground = decided(1, "a", grounds=[{"rule": "posts"}])
    by_reason = decided(2, "b", reasons=[{"requirement": "posts"}])
    by_code = decided(3, "c", code="posts")
    assert len(list(select([by_ground, by_reason, by_code, decided(4, "d")], Filter(rule="posts")))) == 3


def test_two_decisions_of_one_call_are_both_kept() -> None:
    found = joined([decided(1, "a"), decided(2, "a"), completed(3, "a")], 10)
    assert [(call.decided["sequence"], call.completed is not None) for call in found] == [(1, False), (2, True)]


def test_only_the_last_calls_stay_in_memory() -> None:
    calls = LastCalls(2)
    for number in range(50):
        calls.add(decided(number, f"call-{number}"))
        calls.add(completed(1000 + number, f"call-{number - 2}"))
    assert [call.decided["sequence"] for call in calls.all()] == [48, 49]
    assert len(calls._latest) == 2


def test_an_empty_journal_has_no_calls() -> None:
    assert joined([decided(1, "a"), completed(2, "a")], 0) == []


def test_percentiles_are_exact() -> None:
    figures = latency(list(range(1, 101)))
    assert (figures.count, figures.p50, figures.p90, figures.p99, figures.most) == (100, 51, 91, 100, 100)


def test_a_refusal_with_a_count_counts_that_often() -> None:
    refused = {"kind": "refused", "at": 1, "writer": "w", "sequence": 1, "code": "unauthenticated", "count": 40}
    figures = statistics([refused, decided(2, "a", policy_micros=7)])
    assert figures.counts["outcome"] == {"refused": 40, "allow": 1}
    assert figures.counts["requirement"] == {"unauthenticated": 40}
    assert figures.latencies["decision"].p50 == 7


def test_policy_events_are_shown_between_the_calls() -> None:
    followed = [{"kind": "policy", "at": at, "writer": "supervisor", "sequence": at, "event": "x"} for at in (1, 3)]
    records: list[dict[str, Any]] = [followed[0], decided(2, "a"), followed[1], completed(4, "a")]
    found = joined(select(records, Filter()), 10)
    assert [one.decided["kind"] for one in found] == ["policy", "decided", "policy"]
    assert found[1].completed == records[3]
    assert [one.decided["at"] for one in joined(records, 2)] == [2, 3]
    assert [one["kind"] for one in select(records, Filter(outcome="allow"))] == ["decided", "completed"]
