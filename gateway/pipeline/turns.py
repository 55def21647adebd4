"""Turns on the event loop: work that could go on for long is cut into slices, and those who wait take turns.

Rule 1: an exchange works for at most `SLICE_S` at a time. Then it waits for its turn.
Rule 2: after a slice the loop rests from such work for as long as the slice took, so that all of it together takes at
most half of the loop. If the loop has nothing else to do, the rest after a short slice ends early.
Rule 3: of all who wait, one goes on at a time. Keys take turns, however many exchanges a key has.
Rule 4: what cannot be cut, such as parsing one message, is bounded by its size. If it is large, it waits for a turn
before it begins, and the loop rests after it.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Final
from weakref import WeakKeyDictionary

SLICE_S: Final = 0.0005
"""Seconds of work before an exchange waits for its turn."""
LARGE: Final = 16 * 1024
"""Bytes from which a message is large."""
_SHORT_S: Final = 2 * SLICE_S
"""A rest that is not longer ends when the loop has nothing else to do."""
_IDLE_S: Final = 0.00005
"""A pass of the loop that takes less than this many seconds had nothing to do."""

Clock = Callable[[], float]
"""Returns seconds of a monotonic clock."""


class Turns:
    """The exchanges of one event loop that wait to go on."""

    def __init__(self, clock: Clock = time.perf_counter, cpu: Clock = time.thread_time) -> None:
        """Take the clock that measures rest, and the one that measures work; begin with an empty queue."""
        self.cpu: Final = cpu
        self._clock: Final = clock
        self._waiting: Final[OrderedDict[Hashable, deque[asyncio.Future[None]]]] = OrderedDict()
        self._scheduled = False
        self._rest_s = 0.0
        """How long the loop still rests from long work."""
        self._seen = clock()
        """Until when the rest is counted."""
        self._busy = False
        """Whether somebody worked in this pass of the loop."""

    def worked(self, seconds: float) -> None:
        """Count work that has just been done: the loop rests for as long."""
        self._count_rest(seconds)
        self._rest_s += seconds
        self._busy = True

    def turn(self, key: Hashable) -> asyncio.Future[None]:
        """Return what is done when it is the turn of `key`: on whose behalf, such as a caller and a server."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        if not self._scheduled:
            self._schedule()
        return turn

    def _pass(self) -> None:
        """Let the next exchange go on if the loop has rested, and come again."""
        idle = not self._busy and self._clock() - self._seen < _IDLE_S
        self._busy = False
        self._count_rest()
        if not self._rest_s or (idle and self._rest_s <= _SHORT_S):
            self._rest_s = 0.0
            self._grant()
        self._scheduled = False
        if self._waiting:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        loop = asyncio.get_running_loop()
        if self._rest_s > _SHORT_S:
            loop.call_later(self._rest_s, self._pass)
        else:
            loop.call_soon(self._pass)

    def _count_rest(self, worked_s: float = 0.0) -> None:
        """Take from the rest what passed without work."""
        now = self._clock()
        self._rest_s = max(0.0, self._rest_s - max(0.0, now - self._seen - worked_s))
        self._seen = now

    def _grant(self) -> None:
        while self._waiting:
            key, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[key] = queue
            if not turn.done():
                turn.set_result(None)
                return


def loop_turns() -> Turns:
    """Return the queue of the running event loop."""
    loop = asyncio.get_running_loop()
    turns = _OF_LOOPS.get(loop)
    if turns is None:
        turns = _OF_LOOPS[loop] = Turns()
    return turns


_OF_LOOPS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Turns]] = WeakKeyDictionary()


class TurnBudget:
    """What one exchange may do before it waits for its turn."""

    __slots__ = ("_key", "_since", "_turns")

    def __init__(self, turns: Turns, key: Hashable) -> None:
        """Take the queue, and on whose behalf the exchange waits in it; the first slice begins now."""
        self._turns: Final = turns
        self._key: Final = key
        self._since = turns.cpu()

    def renew(self) -> None:
        """Begin a slice: the exchange has just waited for something else."""
        self._since = self._turns.cpu()

    async def pause(self, ahead: int = 0) -> None:
        """Wait for a turn if the slice is used up, or if a message of `ahead` bytes that comes next is large."""
        worked_s = self._turns.cpu() - self._since
        if worked_s >= SLICE_S:
            self._turns.worked(worked_s)
        elif ahead < LARGE:
            return
        await self._turns.turn(self._key)
        self.renew()
