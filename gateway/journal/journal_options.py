"""The options and the state of a journal.

Rule 1: sizes are in bytes, ages in seconds; the defaults fit one worker on one machine.
"""

from typing import Final, Literal

from msgspec import Struct

MIB: Final = 1 << 20
WARN_AT: Final = 0.8
"""The share of the budget from which the journal warns."""


class JournalOptions(Struct, frozen=True, kw_only=True):
    """The options of a journal."""

    durability: Literal["disk", "process"] = "disk"
    """`disk`: a receipt means that the device has the record; `process`: that the kernel has it."""
    group: str = ""
    """The group that may read the segments; empty: only their owner."""
    segment_bytes: int = 64 * MIB
    segment_age_s: float = 3600
    keep_s: float = 90 * 86_400
    keep_bytes: int = 10_240 * MIB
    queue: int = 10_000
    """The maximum number of records that wait for a commit."""
    queue_bytes: int = 64 * MIB
    record_bytes: int = MIB
    retry_s: float = 0.5
    """The pause between attempts to begin a segment after a failure."""
    deadline_s: float = 5
    """The maximum time in which a first record must become durable."""
    linger_s: float = 0.1
    """The time that a second record waits for a first one to share a commit; first records never wait."""
    completion_bytes: int = 1024
    """The space reserved for the second record of each call in progress."""


class JournalState(Struct, frozen=True, kw_only=True):
    """The state of the journal, for metrics and readiness."""

    space_used: int
    budget: int
    lag_s: float
    """The age of the oldest record that waits to become durable; 0 if none waits."""
    segments: int
    failed: str
    """Why the journal does not accept records; empty while it does."""
    lost: int = 0
    """The number of completions that were lost during failures of the journal."""

    @property
    def warns(self) -> bool:
        """Return whether the journal uses at least 80 % of its budget."""
        return self.space_used >= self.budget * WARN_AT
