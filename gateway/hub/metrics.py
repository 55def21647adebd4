"""What the hub counts, for `/metrics`.

Rule 1: labels come from closed sets; nobody who asks can make one.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

REFUSED_CALLS: Final = (
    "unauthenticated",
    "expired",
    "forbidden",
    "misnamed",
    "too_large",
    "too_slow",
    "busy",
    "malformed",
    "conflict",
)


class HubEventLog(Protocol):
    """Takes events for the log."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


class HubMetrics:
    """Since the hub has started; not to be shared between threads."""

    def __init__(self) -> None:
        self.waiting = 0
        """Who is held by a long poll now."""
        self.uploads = 0
        self.uploads_refused: Counter[str] = Counter()
        self.moves = 0
        self.stops = 0
        self.lifts = 0
        self.heartbeats = 0
        self.calls_refused: Counter[str] = Counter(dict.fromkeys(REFUSED_CALLS, 0))
        self.storage_errors = 0
        self.storage_failing = False
        """The last thing that was to be written could not be."""
        self.settings_unusable = False
        """The settings file says something that cannot be used; what it said before counts."""


def rendered(counts: HubMetrics, gauges: dict[str, float]) -> bytes:
    """Prometheus text, format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(counts, gauges))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, counts: HubMetrics, gauges: dict[str, float]) -> None:
        self._counts = counts
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        yield _gauge("waiting", "Gateways and OPAs that a long poll holds.", counts.waiting)
        yield _gauge("storage_failing", "1 while the last write has failed, as on a full disk.", counts.storage_failing)
        text = "1 while the settings file cannot be used, and what it said before counts."
        yield _gauge("settings_unusable", text, counts.settings_unusable)
        yield _total("uploads", "Bundles taken.", counts.uploads)
        yield _total("moves", "Moves of a channel's pointer.", counts.moves)
        yield _total("stops", "Stops made.", counts.stops)
        yield _total("lifts", "Stops lifted.", counts.lifts)
        yield _total("heartbeats", "Heartbeats of gateways.", counts.heartbeats)
        yield _total("storage_errors", "Writes that failed.", counts.storage_errors)
        yield _labelled("uploads_refused", "Bundles refused at upload.", "code", counts.uploads_refused)
        yield _labelled("calls_refused", "Calls refused.", "reason", counts.calls_refused)
        for name, value in self._gauges.items():
            yield _gauge(name, _TEXTS[name], value)


_TEXTS: Final = {
    "channels": "Channels that point to a bundle.",
    "last_move_age_seconds": "Since a pointer last moved.",
    "next_token_end_seconds": "Until the first token ends; negative where one has.",
    "live_gateways": "Gateways heard of in the last fifteen seconds.",
    "standing_stops": "Stops that have not ended.",
}


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"mcp_admission_hub_{name}", text, value=value)


def _total(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"mcp_admission_hub_{name}", text, value=value)


def _labelled(name: str, text: str, label: str, values: Counter[str]) -> Metric:
    family = CounterMetricFamily(f"mcp_admission_hub_{name}", text, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family
