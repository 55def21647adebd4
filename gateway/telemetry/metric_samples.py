"""One worker's measures at one moment, as a value that is sent to the supervisor.

Rule 1: every number is a sum or a maximum over workers; no number needs the name of its worker.
"""

from typing import Final

from msgspec import Struct, field

BOUNDS_US: Final[tuple[int, ...]] = (
    100, 200, 300, 400, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
    1_000_000,
)  # fmt: skip
"""Upper bounds of the latency buckets in microseconds; the last bucket has everything above them."""


class Gauges(Struct, frozen=True, kw_only=True):
    """Current values that other modules report when a sample is taken."""

    ready: bool = False
    observe: bool = False
    """True if the policy only observes: almost nothing is refused."""
    revision: str = ""
    emergency: str = ""
    """Revision of the stops."""
    not_after: str = ""
    """Expiry of the policy in force, RFC 3339; empty if it does not expire."""
    policy_age_s: float = 0
    stale: bool = False
    journal_space_bytes: int = 0
    """Size of the whole journal directory, which workers share."""
    journal_budget_bytes: int = 0
    journal_lag_s: float = 0
    journal_failed: bool = False
    journal_lost: int = 0


class LatencyHistogram(Struct, frozen=True):
    """A histogram: the count of each bucket (one more than BOUNDS_US), and the total in microseconds."""

    counts: list[int]
    total_us: int


class Samples(Struct, frozen=True, kw_only=True):
    """One worker's measures; counters start with the worker."""

    decisions: list[tuple[str, str, str, int]] = field(default_factory=list[tuple[str, str, str, int]])
    """Outcome, requirement, server, count."""
    upstream: dict[str, int] = field(default_factory=dict[str, int])
    refused: dict[str, int] = field(default_factory=dict[str, int])
    withheld: dict[str, int] = field(default_factory=dict[str, int])
    """Server messages that were not delivered, by server."""
    unchecked: dict[str, int] = field(default_factory=dict[str, int])
    """Tool calls whose schema has keywords that are not checked, by server."""
    changed_instructions: dict[str, int] = field(default_factory=dict[str, int])
    """Results whose server instructions were removed because they are not the pinned ones, by server."""
    decision: LatencyHistogram
    added: LatencyHistogram
    streams: int = 0
    resident_bytes: int = 0
    gauges: Gauges = field(default_factory=Gauges)
