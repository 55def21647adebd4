"""How long to wait before something that died is started again."""

import time
from collections.abc import Callable
from typing import Final

FIRST: Final = 0.1
LONGEST: Final = 5.0
STEADY: Final = 10.0
"""Seconds that it must have lived for the pause to be short again."""


class Backoff:
    """Grows while what it paces keeps dying young."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pause = FIRST
        self._began = clock()

    def started(self) -> None:
        """Remember when it began to live."""
        self._began = self._clock()

    def pause(self) -> float:
        """Return the seconds to wait now."""
        if self._clock() - self._began > STEADY:
            self._pause = FIRST
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST)
        return pause
