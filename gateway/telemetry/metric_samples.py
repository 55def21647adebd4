"""One worker's numbers at one moment, as a value that travels to the supervisor.

Rule 1: everything in it adds up or is a greatest over workers; no number means anything by its worker's name.
"""

from typing import Final

from msgspec import Struct, field

BOUNDS_US: Final[tuple[int, ...]] = (
    100, 200, 300, 400, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
    1_000_000,
)  # fmt: skip
"""Upper bounds of the latency buckets, microseconds; the last bucket is all that is above."""


class Gauges(Struct, frozen=True, kw_only=True):
    """What other parts say of themselves at the moment of sampling."""

    ready: bool = False
    observe: bool = False
    """Policy observes: almost nothing is refused."""
    revision: str = ""
    emergency: str = ""
    """Revision of the stops."""
    not_after: str = ""
    """When the policy in force ends, RFC 3339; empty where it never does."""
    policy_age_s: float = 0
    stale: bool = False
    journal_space_bytes: int = 0
    """Of the whole journal directory, which workers share."""
    journal_budget_bytes: int = 0
    journal_lag_s: float = 0
    journal_failed: bool = False
    journal_lost: int = 0


class LatencyHistogram(Struct, frozen=True):
    """A histogram: how many in each bucket (one more than BOUNDS_US), and their total in microseconds."""

    counts: list[int]
    total_us: int


class Samples(Struct, frozen=True, kw_only=True):
    """One worker's numbers; counters since it started."""

    decisions: list[tuple[str, str, str, int]] = field(default_factory=list[tuple[str, str, str, int]])
    """Outcome, requirement, server, count."""
    upstream: dict[str, int] = field(default_factory=dict[str, int])
    refused: dict[str, int] = field(default_factory=dict[str, int])
    withheld: dict[str, int] = field(default_factory=dict[str, int])
    """Messages of servers that were not delivered, by server."""
    unchecked: dict[str, int] = field(default_factory=dict[str, int])
    """Calls of tools whose schema has keywords that are not checked, by server."""
    changed_instructions: dict[str, int] = field(default_factory=dict[str, int])
    """Results without the server's instructions, which are not the pinned ones, by server."""
    decision: LatencyHistogram
    added: LatencyHistogram
    streams: int = 0
    resident_bytes: int = 0
    gauges: Gauges = field(default_factory=Gauges)
