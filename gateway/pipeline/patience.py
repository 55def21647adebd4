"""Deadlines that do not run while the event loop is busy with another exchange.

Rule 1: a wait is counted in ticks. A tick counts no more than its length, however late the event loop comes to it.
Rule 2: what has arrived when the last tick comes is taken: the wait ends only after it was looked at.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

TICKS: Final = 10
"""Ticks in a deadline: an event loop that is late once uses up no more than one of them."""
LONGEST: Final = 1.0
"""Seconds of a tick in a long deadline."""


class Patience:
    """An amount of time that may be waited for something, in one wait or in several one after another.

    `async with` a wait; it raises `TimeoutError` when the time is used up, as `asyncio.timeout` does.
    """

    __slots__ = ("_began", "_cancelling", "_expired", "_left", "_loop", "_task", "_tick", "_ticking")

    def __init__(self, seconds: float | None) -> None:
        """Take the seconds; null for a wait without an end."""
        self._left = seconds
        self._tick: Final = min(LONGEST, (seconds or 0.0) / TICKS)
        self._began = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking: asyncio.Handle | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        """How many cancellations the task had when the wait began: this wait did not request them."""
        self._expired = False

    async def __aenter__(self) -> Self:
        """Begin a wait."""
        if self._left is not None:
            self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
            self._cancelling = self._task.cancelling() if self._task is not None else 0
            self._begin(self._loop, self._left)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the wait, and keep what is left for the next one."""
        if self._left is None or self._loop is None or self._task is None:
            return
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
            self._left -= min(self._tick, self._loop.time() - self._began)
        if self._expired:
            self._expired = False
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def _begin(self, loop: asyncio.AbstractEventLoop, left: float) -> None:
        self._began = loop.time()
        self._ticking = loop.call_later(max(0.0, min(self._tick, left)), self._ticked)

    def _ticked(self) -> None:
        if self._left is None or self._loop is None:
            return
        self._left -= self._tick
        if self._left > 0:
            self._begin(self._loop, self._left)
            return
        self._began = self._loop.time()
        self._ticking = self._loop.call_soon(self._expire)  # an answer that is here by now is taken

    def _expire(self) -> None:
        self._ticking = None
        self._expired = True
        if self._task is not None:
            self._task.cancel()
