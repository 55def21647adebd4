"""How a journal is kept, and what it says of itself.

Rule 1: sizes are bytes, ages seconds; the defaults suit one worker on one machine.
"""

from typing import Final, Literal

from msgspec import Struct

MIB: Final = 1 << 20
WARN_AT: Final = 0.8
"""Share of the budget from which the journal warns."""


class JournalOptions(Struct, frozen=True, kw_only=True):
    """How a journal is kept."""

    durability: Literal["disk", "process"] = "disk"
    """`disk`: a receipt means that the device has the record; `process`: that the kernel has it."""
    group: str = ""
    """Group that may read the segments; empty: their owner only."""
    segment_bytes: int = 64 * MIB
    segment_age_s: float = 3600
    keep_s: float = 90 * 86_400
    keep_bytes: int = 10_240 * MIB
    queue: int = 10_000
    """Records that may wait for a commit."""
    queue_bytes: int = 64 * MIB
    record_bytes: int = MIB
    retry_s: float = 0.5
    """Pause between attempts to begin a segment after a failure."""
    deadline_s: float = 5
    """How long a first record may take to become durable."""
    linger_s: float = 0.1
    """How long a second record waits for a first one to share a commit with; first ones never wait."""
    completion_bytes: int = 1024
    """Space kept back for the second record of each call that is under way."""


class JournalState(Struct, frozen=True, kw_only=True):
    """What the journal says of itself, for metrics and readiness."""

    space_used: int
    budget: int
    lag_s: float
    """Age of the oldest record that waits to become durable; 0 where none waits."""
    segments: int
    failed: str
    """Why records cannot be taken; empty while they can."""
    lost: int = 0
    """Completions that could not be kept while the journal had failed."""

    @property
    def warns(self) -> bool:
        """True from 80 % of the budget on."""
        return self.space_used >= self.budget * WARN_AT
