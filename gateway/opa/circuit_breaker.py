"""A circuit breaker: after a row of failures, OPA is left alone for a moment instead of piling up questions.

Rule 1: an open breaker is a denial; it never lets anything pass.
Rule 2: it recovers by itself: after the pause one question probes, and its answer closes or reopens.
Rule 3: only what says something about OPA counts, never what a caller can provoke: a question may be slow by itself,
so a deadline that was missed counts only for the question of our own whose cost is known.
"""

from collections.abc import Callable

THRESHOLD = 5
"""Consecutive failures that open it."""

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
"""Seconds; each failed probe doubles the pause."""


class CircuitBreaker:
    """One per worker; `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float], *, threshold: int = THRESHOLD) -> None:
        self._clock = clock
        self._threshold = threshold
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._opens_at: float | None = None
        self._probing = False

    @property
    def closed(self) -> bool:
        """Whether every question is admitted."""
        return self._opens_at is None

    def admits(self) -> bool:
        """Return whether a question may be put now; in the half-open state exactly one may."""
        if self._opens_at is None:
            return True
        if self._probing or self._clock() < self._opens_at:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Close: OPA answered."""
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._opens_at = None
        self._probing = False

    def failed(self, weight: int = 1) -> None:
        """Count a failure, and open at the threshold or after a failed probe."""
        self._failures += weight
        straggler = self._opens_at is not None and not self._probing
        if self._failures < self._threshold or straggler:
            return
        if self._probing:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._probing = False
        self._opens_at = self._clock() + self._pause

    def silent(self) -> None:
        """Count that OPA missed the deadline of our own question: twice without an answer to anybody between opens."""
        self.failed((self._threshold + 1) // 2)

    def abandoned(self) -> None:
        """Free the probe's place: its asker went away without an answer, or waited for one no longer."""
        self._probing = False
