"""Backoff between restarts of a process."""

import time
from collections.abc import Callable
from typing import Final

FIRST: Final = 0.1
LONGEST: Final = 5.0
STEADY: Final = 10.0
"""Seconds that the process must have run before the pause is reset."""


class Backoff:
    """Restart backoff: the pause doubles while the process keeps exiting early."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pause = FIRST
        self._began = clock()

    def started(self) -> None:
        """Record the start time of the process."""
        self._began = self._clock()

    def pause(self) -> float:
        """Return the number of seconds to wait before the next restart."""
        if self._clock() - self._began > STEADY:
            self._pause = FIRST
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST)
        return pause
