"""Circuit breaker: after consecutive failures, OPA gets no queries for a moment instead of a growing queue.

Rule 1: an open breaker is a denial; it never lets anything pass.
Rule 2: it recovers by itself: after the pause one query probes OPA, and its result closes or reopens the breaker.
Rule 3: only failures that show a problem of OPA count, never those that a caller can cause. A caller's query may be
slow by itself, so a missed deadline counts only for the gateway's own probe, whose cost is known.
"""

from collections.abc import Callable

THRESHOLD = 5
"""Consecutive failures that open the breaker."""

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
"""Seconds; each failed probe doubles the pause."""


class CircuitBreaker:
    """The breaker of one worker; `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float], *, threshold: int = THRESHOLD) -> None:
        self._clock = clock
        self._threshold = threshold
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._opens_at: float | None = None
        self._probing = False

    @property
    def closed(self) -> bool:
        """True while every query is admitted."""
        return self._opens_at is None

    def admits(self) -> bool:
        """Return whether a query may be sent now; in the half-open state exactly one may."""
        if self._opens_at is None:
            return True
        if self._probing or self._clock() < self._opens_at:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Close the breaker after an answer of OPA."""
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._opens_at = None
        self._probing = False

    def failed(self, weight: int = 1) -> None:
        """Count a failure; open the breaker at the threshold or after a failed probe."""
        self._failures += weight
        straggler = self._opens_at is not None and not self._probing
        if self._failures < self._threshold or straggler:
            return
        if self._probing:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._probing = False
        self._opens_at = self._clock() + self._pause

    def silent(self) -> None:
        """Count a missed deadline of the gateway's own probe; two of these without an answer open the breaker."""
        self.failed((self._threshold + 1) // 2)

    def abandoned(self) -> None:
        """Free the probe slot: the caller left before the answer, or its wait ended."""
        self._probing = False
