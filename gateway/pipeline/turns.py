"""Turns on the event loop: work that could go on for long is cut into slices, and those who wait take turns.

Rule 1: an exchange works for at most `SLICE_S` at a time. Then it waits for its turn.
Rule 2: after a slice the loop rests from such work for as long as the slice took, so that all of it together takes at
most half of the loop. The loop sleeps meanwhile if it has nothing else to do, so that the thread of the journal runs.
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

from msgspec import Struct, field

SLICE_S: Final = 0.001
"""Seconds of work before an exchange waits for its turn."""
_APART_S: Final = 0.0003
"""Requests that are so many seconds apart are no crowd: the loop has made a pass in between."""
LARGE: Final = 8 * 1024
"""Bytes from which a request is large."""
LONG: Final = 128 * 1024
"""Bytes of a reply whose reading takes longer than a slice."""
_TICK_S: Final = 0.001
"""Seconds that the loop's timers count in."""

Clock = Callable[[], float]
"""Returns seconds of a monotonic clock."""


class Turns:
    """Those who wait to go on, of one event loop: one of them goes on in each pass of the loop."""

    def __init__(self) -> None:
        """Begin with an empty queue."""
        self._waiting: Final[OrderedDict[Hashable, deque[asyncio.Future[None]]]] = OrderedDict()
        self._scheduled = False

    def turn(self, key: Hashable) -> asyncio.Future[None]:
        """Return what is done when it is the turn of `key`: on whose behalf, such as a caller and a server."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        if not self._scheduled:
            self._schedule()
        return turn

    def _pass(self) -> None:
        """Let the next one go on if it may, and come again."""
        if self._due():
            self._grant()
        self._scheduled = False
        if self._waiting:
            self._schedule()

    def _due(self) -> bool:
        return True

    def _schedule(self) -> None:
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._pass)

    def _grant(self) -> None:
        while self._waiting:
            key, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[key] = queue
            if not turn.done():
                turn.set_result(None)
                return


class Beginnings(Turns):
    """Requests that wait to begin: one begins in each pass of the loop, and callers take turns."""

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        """Take the clock that tells a crowd of requests from single ones."""
        super().__init__()
        self._clock: Final = clock
        self._began = 0.0

    async def begin(self, key: Hashable) -> None:
        """Wait for a turn if another request has just begun, or waits."""
        if self._waiting or self._clock() - self._began < _APART_S:
            await self.turn(key)
        self._began = self._clock()


class LongWork(Turns):
    """Exchanges that wait to go on with long work."""

    def __init__(self, clock: Clock = time.perf_counter, cpu: Clock = time.thread_time) -> None:
        """Take the clock that measures rest, and the one that measures work; begin with an empty queue."""
        super().__init__()
        self.clock: Final = clock
        self.cpu: Final = cpu
        self._rests_until = 0.0

    def worked(self, seconds: float) -> None:
        """Count work that has just been done: the loop rests for as long."""
        self._rests_until = max(self._rests_until, self.clock()) + seconds

    def _due(self) -> bool:
        return self.clock() >= self._rests_until

    def _schedule(self) -> None:
        self._scheduled = True
        rest_s, loop = self._rests_until - self.clock(), asyncio.get_running_loop()
        if rest_s > 0:
            loop.call_later(max(rest_s, _TICK_S), self._pass)
        else:
            loop.call_soon(self._pass)


class LoopTurns(Struct, frozen=True):
    """What waits on one event loop."""

    long: LongWork = field(default_factory=LongWork)
    beginnings: Beginnings = field(default_factory=Beginnings)


def loop_turns() -> LoopTurns:
    """Return the queues of the running event loop."""
    loop = asyncio.get_running_loop()
    turns = _OF_LOOPS.get(loop)
    if turns is None:
        turns = _OF_LOOPS[loop] = LoopTurns()
    return turns


_OF_LOOPS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, LoopTurns]] = WeakKeyDictionary()


class TurnBudget:
    """What one exchange may do before it waits for its turn."""

    __slots__ = ("_cpu_since", "_key", "_since", "_work")

    def __init__(self, work: LongWork, key: Hashable) -> None:
        """Take the queue, and on whose behalf the exchange waits in it; the first slice begins now."""
        self._work: Final = work
        self._key: Final = key
        self._since = work.clock()
        self._cpu_since = work.cpu()

    def renew(self) -> None:
        """Begin a slice: the exchange has just waited for something else."""
        self._since = self._work.clock()

    async def pause(self, ahead: int = 0) -> None:
        """Wait for a turn if the slice is used up, or if what comes next, of `ahead` bytes, takes longer than one."""
        passed_s = self._work.clock() - self._since
        if passed_s >= SLICE_S:
            cpu = self._work.cpu()
            worked_s = min(passed_s, cpu - self._cpu_since)
            if worked_s < SLICE_S and ahead < LONG:
                return
            self._cpu_since = cpu
            self._work.worked(worked_s)
        elif ahead < LONG:
            return
        await self._work.turn(self._key)
        self.renew()
