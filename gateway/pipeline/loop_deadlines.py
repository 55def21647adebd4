"""Deadlines that do not run while the event loop is busy with another exchange.

Rule 1: a wait is counted in ticks. A late tick counts no more than its length, however late the event loop runs it.
Rule 2: data that has arrived by the last tick is still accepted: the wait ends only after it was checked.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

TICKS: Final = 10
"""Ticks in a deadline. One delay of the event loop uses up at most one of them."""
LONGEST: Final = 1.0
"""Maximum seconds of a tick in a long deadline."""


class WaitBudget:
    """An amount of time for one wait, or for several consecutive waits.

    Use it with `async with`. It raises `TimeoutError` when the time is used up, as `asyncio.timeout` does.
    """

    __slots__ = ("_began", "_left", "_loop", "_tick", "_ticking", "_timeout")

    def __init__(self, seconds: float | None) -> None:
        """Take the seconds, or null for a wait without a limit."""
        self._left = seconds
        self._tick: Final = min(LONGEST, (seconds or 0.0) / TICKS)
        self._began = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._timeout: asyncio.Timeout | None = None

    async def __aenter__(self) -> Self:
        """Begin a wait."""
        self._timeout = asyncio.Timeout(None)
        await self._timeout.__aenter__()
        if self._left is not None:
            self._loop = asyncio.get_running_loop()
            self._begin(self._loop, self._left)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the wait, and keep the remaining time for the next one."""
        if self._ticking is not None and self._loop is not None and self._left is not None:
            self._ticking.cancel()
            self._ticking = None
            self._left -= min(self._tick, self._loop.time() - self._began)
        if self._timeout is not None:
            await self._timeout.__aexit__(kind, error, trace)

    def _begin(self, loop: asyncio.AbstractEventLoop, left: float) -> None:
        self._began = loop.time()
        self._ticking = loop.call_later(max(0.0, min(self._tick, left)), self._ticked)

    def _ticked(self) -> None:
        if self._left is None or self._loop is None or self._timeout is None:
            return
        self._left -= self._tick
        if self._left > 0:
            self._begin(self._loop, self._left)
            return
        self._ticking = None
        self._timeout.reschedule(self._loop.time())  # in the next pass: an answer that has arrived is accepted
