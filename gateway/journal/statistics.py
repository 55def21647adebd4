"""Counts and latencies of a journal, computed in one pass.

Rule 1: percentiles are exact; they need eight bytes of memory per record and latency.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, MutableSequence, Sequence
from typing import Final

from msgspec import Struct

from gateway.journal.query import agent_of, outcome_of
from gateway.journal.segment_lines import Read

_CALLS: Final = {
    "decision": "policy_micros",
    "gateway": "micros",
}
_COMPLETIONS: Final = {"upstream": "upstream_micros", "call": "micros"}


class LatencySummary(Struct, frozen=True, kw_only=True):
    """The number and the percentiles of a latency, in microseconds."""

    count: int
    p50: int
    p90: int
    p99: int
    most: int


class Statistics(Struct, frozen=True, kw_only=True):
    """The counts of records by name, largest first, and the latencies."""

    counts: dict[str, dict[str, int]]
    latencies: dict[str, LatencySummary]


def statistics(records: Iterable[Read]) -> Statistics:
    """Return the statistics of the records."""
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("outcome", "requirement", "rule", "agent", "server", "completion")
    }
    times: dict[str, array[int]] = {name: array("q") for name in (*_CALLS, *_COMPLETIONS)}
    for record in records:
        if record["kind"] == "completed":
            counts["completion"][str(record.get("outcome", ""))] += 1
            _time(times, _COMPLETIONS, record)
        elif record["kind"] in {"decided", "refused"}:
            _count(counts, record)
            _time(times, _CALLS, record)
    return Statistics(
        counts={name: dict(counter.most_common()) for name, counter in counts.items()},
        latencies={name: latency(values) for name, values in times.items() if values},
    )


def latency(values: Sequence[int]) -> LatencySummary:
    """Return the percentiles of at least one value."""
    ordered = sorted(values)

    def at(share: float) -> int:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    return LatencySummary(count=len(ordered), p50=at(0.5), p90=at(0.9), p99=at(0.99), most=ordered[-1])


def _count(counts: dict[str, Counter[str]], record: Read) -> None:
    times = int(record.get("count", 1))
    counts["outcome"][outcome_of(record)] += times
    counts["server"][str(record.get("server", ""))] += times
    if agent := agent_of(record):
        counts["agent"][agent] += times
    if record["kind"] == "refused":
        counts["requirement"][str(record.get("code", ""))] += times
    for reason in record.get("reasons", ()):
        counts["requirement"][str(reason.get("requirement", ""))] += 1
    for ground in record.get("grounds", ()):
        counts["rule"][str(ground.get("rule", ""))] += 1


def _time(times: Mapping[str, MutableSequence[int]], fields: dict[str, str], record: Read) -> None:
    for name, field in fields.items():
        value = record.get(field)
        if type(value) is int and value > 0:
            times[name].append(value)
