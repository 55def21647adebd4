"""The hub's counters and gauges for `/metrics`.

Rule 1: label values come from closed sets. A caller cannot create one.
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
    """The hub's log: a callable that logs one event."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


class HubMetrics:
    """Counts since the hub started; not thread-safe."""

    def __init__(self) -> None:
        self.waiting = 0
        """Open long polls."""
        self.uploads = 0
        self.uploads_refused: Counter[str] = Counter()
        self.moves = 0
        self.stops = 0
        self.lifts = 0
        self.heartbeats = 0
        self.calls_refused: Counter[str] = Counter(dict.fromkeys(REFUSED_CALLS, 0))
        self.storage_errors = 0
        self.storage_failing = False
        """True after a failed write, until the next write succeeds."""
        self.settings_unusable = False
        """True while the settings file is invalid and the previous settings stay in force."""


def rendered(counts: HubMetrics, gauges: dict[str, float]) -> bytes:
    """Return the metrics in the Prometheus text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(counts, gauges))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, counts: HubMetrics, gauges: dict[str, float]) -> None:
        self._counts = counts
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        yield _gauge("waiting", "Open long polls of gateways and OPAs.", counts.waiting)
        yield _gauge("storage_failing", "1 if the last write failed, as on a full disk.", counts.storage_failing)
        text = "1 while the settings file is invalid and the previous settings stay in force."
        yield _gauge("settings_unusable", text, counts.settings_unusable)
        yield _total("uploads", "Accepted bundle uploads.", counts.uploads)
        yield _total("moves", "Moves of channel pointers.", counts.moves)
        yield _total("stops", "Stops made.", counts.stops)
        yield _total("lifts", "Stops lifted.", counts.lifts)
        yield _total("heartbeats", "Accepted heartbeats of gateways.", counts.heartbeats)
        yield _total("storage_errors", "Failed writes.", counts.storage_errors)
        yield _labelled("uploads_refused", "Bundle uploads refused.", "code", counts.uploads_refused)
        yield _labelled("calls_refused", "Refused calls.", "reason", counts.calls_refused)
        for name, value in self._gauges.items():
            yield _gauge(name, _TEXTS[name], value)


_TEXTS: Final = {
    "channels": "Channels that point to a bundle.",
    "last_move_age_seconds": "Seconds since a pointer last moved.",
    "next_token_end_seconds": "Seconds until the first token expires; negative if one has expired.",
    "live_gateways": "Gateways that sent a heartbeat in the last fifteen seconds.",
    "standing_stops": "Active stops.",
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
