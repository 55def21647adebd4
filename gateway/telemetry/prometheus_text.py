"""Prometheus text from the workers' samples.

Rule 1: counters, histograms and streams are sums; ages and lags are maximums; for a condition of workers, the workers
that meet it are counted.
Rule 2: samples that cannot be read are left out and counted, so that a worker's number is never guessed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, get_args

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.admission.decision import FailureCode
from gateway.telemetry.metric_samples import BOUNDS_US, Gauges, LatencyHistogram, Samples

POLICY_FAILURES: Final[tuple[str, ...]] = get_args(FailureCode)
_SECOND_US: Final = 1_000_000
_DECODER: Final = msgspec.msgpack.Decoder(Samples)

_GREATEST: Final[tuple[tuple[str, str, Callable[[Gauges], float]], ...]] = (
    (
        "policy_age_seconds",
        "Seconds since the policy was last confirmed as current.",
        lambda gauges: gauges.policy_age_s,
    ),
    ("journal_lag_seconds", "Age of the oldest record not yet durable.", lambda gauges: gauges.journal_lag_s),
    ("journal_space_bytes", "Space that the journal uses.", lambda gauges: gauges.journal_space_bytes),
    ("journal_budget_bytes", "Space that the journal may take.", lambda gauges: gauges.journal_budget_bytes),
)
_COUNTED: Final[tuple[tuple[str, str, Callable[[Gauges], bool]], ...]] = (
    ("ready_workers", "Workers that are ready.", lambda gauges: gauges.ready),
    ("observing_workers", "Workers whose policy only observes.", lambda gauges: gauges.observe),
    (
        "stale_workers",
        "Workers whose policy has not been confirmed as current for too long.",
        lambda gauges: gauges.stale,
    ),
    ("journal_failed_workers", "Workers that cannot write their journal.", lambda gauges: gauges.journal_failed),
)


def render(packed: Sequence[bytes]) -> bytes:
    """Return the metrics of all workers, from their MessagePack samples, in the Prometheus text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Workers([samples for one in packed if (samples := _read(one)) is not None], len(packed)))
    return generate_latest(registry)


def _read(packed: bytes) -> Samples | None:
    try:
        samples = _DECODER.decode(packed)
    except msgspec.DecodeError:
        return None
    sound = all(len(latency.counts) == len(BOUNDS_US) + 1 for latency in (samples.decision, samples.added))
    return samples if sound else None


class _Workers(Collector):
    """Collector that turns samples into metric families."""

    def __init__(self, samples: list[Samples], answered: int) -> None:
        self._samples = samples
        self._answered = answered

    def collect(self) -> Iterator[Metric]:
        samples = self._samples
        yield _gauge("workers", "Workers that answered with samples.", len(samples))
        yield _gauge("unreadable_samples", "Workers whose samples could not be read.", self._answered - len(samples))
        yield from _decisions(samples)
        yield _counter("upstream_exchanges", "Exchanges with upstreams.", "outcome", (one.upstream for one in samples))
        yield _counter("refused", "Requests refused before a decision.", "code", (one.refused for one in samples))
        yield _counter(
            "withheld_messages",
            "Messages from servers that the gateway withheld from clients.",
            "server",
            (one.withheld for one in samples),
        )
        yield _counter(
            "unchecked_schemas",
            "Calls of tools whose input schema has keywords that are not checked.",
            "server",
            (one.unchecked for one in samples),
        )
        yield _counter(
            "changed_instructions",
            "Results from which the server's instructions were removed, because they are not the pinned ones.",
            "server",
            (one.changed_instructions for one in samples),
        )
        yield _histogram("decision_seconds", "Time that OPA took to decide.", [one.decision for one in samples])
        yield _histogram(
            "added_seconds", "Time from reading a message to acting on it.", [one.added for one in samples]
        )
        yield _gauge("open_streams", "Open streams.", sum(one.streams for one in samples))
        yield _gauge("resident_bytes", "Memory of all workers.", sum(one.resident_bytes for one in samples))
        yield from _gauges([one.gauges for one in samples])


def _decisions(samples: Iterable[Samples]) -> Iterator[Metric]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in samples:
        for outcome, requirement, server, count in one.decisions:
            counts[outcome, requirement, server] += count
    family = CounterMetricFamily(
        "mcp_admission_decisions", "Messages decided.", labels=["outcome", "requirement", "server"]
    )
    failures = CounterMetricFamily(
        "mcp_admission_policy_failures", "Decisions that OPA failed to give.", labels=["code"]
    )
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    for code in POLICY_FAILURES:
        failed = sum(count for (_, requirement, _), count in counts.items() if requirement == code)
        failures.add_metric([code], failed)
    yield family
    yield failures


def _gauges(gauges: list[Gauges]) -> Iterator[Metric]:
    for name, text, value in _GREATEST:
        yield _gauge(name, text, max(map(value, gauges), default=0))
    for name, text, holds in _COUNTED:
        yield _gauge(name, text, sum(map(holds, gauges)))
    lost = CounterMetricFamily("mcp_admission_journal_lost", "Completions that could not be written to the journal.")
    lost.add_metric([], sum(one.journal_lost for one in gauges))
    yield lost
    yield _revisions("policy_revision", "Workers by revision.", [one.revision for one in gauges])
    yield _revisions("emergency_revision", "Workers by revision of the stops.", [one.emergency for one in gauges])
    ends = GaugeMetricFamily(
        "mcp_admission_policy_not_after_seconds", "Unix time at which the policy in force expires."
    )
    if times := [instant for one in gauges if (instant := _unix_s(one.not_after)) is not None]:
        ends.add_metric([], min(times))
    yield ends


def _revisions(name: str, text: str, found: Iterable[str]) -> Metric:
    family = GaugeMetricFamily(f"mcp_admission_{name}", text, labels=["revision"])
    for revision, count in sorted(Counter(one for one in found if one).items()):
        family.add_metric([revision], count)
    return family


def _unix_s(rfc3339: str) -> float | None:
    try:
        return datetime.fromisoformat(rfc3339).timestamp()
    except ValueError:
        return None


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"mcp_admission_{name}", text, value=value)


def _counter(name: str, text: str, label: str, many: Iterable[dict[str, int]]) -> Metric:
    total: Counter[str] = Counter()
    for counts in many:
        total.update(counts)
    family = CounterMetricFamily(f"mcp_admission_{name}", text, labels=[label])
    for value, count in sorted(total.items()):
        family.add_metric([value], count)
    return family


def _histogram(name: str, text: str, many: Sequence[LatencyHistogram]) -> Metric:
    family = HistogramMetricFamily(f"mcp_admission_{name}", text)
    bounds = [*(f"{bound / _SECOND_US:g}" for bound in BOUNDS_US), "+Inf"]
    so_far = 0
    buckets: list[tuple[str, float]] = []
    for place, bound in enumerate(bounds):
        so_far += sum(latency.counts[place] for latency in many)
        buckets.append((bound, so_far))
    family.add_metric([], buckets, sum(latency.total_us for latency in many) / _SECOND_US)
    return family
