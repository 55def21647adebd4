"""Turns on the event loop: long work is cut into slices, and waiting exchanges take turns.

Rule 1: an exchange works for at most `SLICE_S` at a time. Then it waits for its turn.
Rule 2: after a slice the loop rests from such work for as long as the slice took, up to `_LONGEST_S`, so that all of it
together takes about half of the loop. The loop sleeps meanwhile if it has nothing else to do, so that the thread of the
journal runs.
Rule 3: one waiting exchange continues at a time. Keys take turns, however many exchanges a key has.
Rule 4: work that cannot be cut, such as parsing one message, is limited by its size. A reply of at least `LONG` bytes
waits for a turn first. The loop rests after the work at the next `pause`.
Rule 5: if requests arrive close together, one of them begins in each pass of the loop, and callers take turns. Late
questions to OPA are refused in the same queue.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, TypeVar

from msgspec import Struct, field

from gateway.admission.inbound_message import Inbound
from gateway.pipeline.per_loop import PerLoop

SLICE_S: Final = 0.001
"""Seconds of work before an exchange waits for its turn."""
_APART_S: Final = 0.0003
"""If more seconds than this have passed since the last request began, the loop has made a pass: begin at once."""
_PASS_S: Final = 0.005
"""One request begins for each of these seconds that the last pass of the loop took, and at least one in any pass."""
LONG: Final = 128 * 1024
"""Bytes of a reply that takes longer than a slice to read."""
_LONGEST_S: Final = 0.2
"""Longest rest after a slice, in seconds."""
_TICK_S: Final = 0.001
"""Resolution of the loop's timers, in seconds."""

_Result = TypeVar("_Result")
Clock = Callable[[], float]
"""Return the seconds of a monotonic clock."""


class Turns:
    """The queue of one event loop: one waiting exchange continues in each pass of the loop."""

    def __init__(self) -> None:
        """Start with an empty queue."""
        self._waiting: Final[OrderedDict[Hashable, deque[asyncio.Future[None]]]] = OrderedDict()
        self._scheduled = False

    def turn(self, key: Hashable) -> asyncio.Future[None]:
        """Return a future that is done when it is this waiter's turn.

        `key` names the party that it waits for, such as a caller and a server.
        """
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        if not self._scheduled:
            self._schedule()
        return turn

    def _pass(self) -> None:
        """Let the next exchange continue if it is due, and schedule the next pass."""
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


class RequestStarts(Turns):
    """Requests that wait to begin: one begins in each pass of the loop, and callers take turns."""

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        """Take the clock that measures the time between requests."""
        super().__init__()
        self._clock: Final = clock
        self._began = self._passed = 0.0

    async def start(self, key: Hashable) -> None:
        """Wait for a turn if another request has just begun or is waiting."""
        if self._waiting or self._clock() - self._began < _APART_S:
            await self.turn(key)
        self._began = self._clock()

    def _schedule(self) -> None:
        self._passed = self._clock()
        super()._schedule()

    def _grant(self) -> None:
        """Start one request for each `_PASS_S` of the last pass, so that long passes do not make the queue longer."""
        for _ in range(max(1, int((self._clock() - self._passed) / _PASS_S))):
            super()._grant()


class LongWork(Turns):
    """Exchanges that wait to continue long work."""

    def __init__(self, clock: Clock = time.perf_counter, cpu: Clock = time.thread_time) -> None:
        """Take the clock that measures rest and the clock that measures work, and start with an empty queue."""
        super().__init__()
        self.clock: Final = clock
        self.cpu: Final = cpu
        self._rests_until = 0.0

    def worked(self, seconds: float) -> None:
        """Add work that was just done: the loop rests for as long, up to `_LONGEST_S`."""
        now = self.clock()
        self._rests_until = min(max(self._rests_until, now) + seconds, now + _LONGEST_S)

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
    """The queues of one event loop."""

    long: LongWork = field(default_factory=LongWork)
    starts: RequestStarts = field(default_factory=RequestStarts)


_LOOPS: Final = PerLoop(LoopTurns)


def loop_turns() -> LoopTurns:
    """Return the queues of the running event loop."""
    return _LOOPS.here()


def budget_of(inbound: Inbound) -> "TurnBudget":
    """Return a budget for work on behalf of a caller and a server."""
    return TurnBudget(loop_turns().long, (inbound.principal.key, inbound.server))


class TurnBudget:
    """The work that one exchange may do before it waits for its turn."""

    __slots__ = ("_cpu_since", "_key", "_since", "_work")

    def __init__(self, work: LongWork, key: Hashable) -> None:
        """Take the queue, and the key under which the exchange waits in it. The first slice begins now."""
        self._work: Final = work
        self._key: Final = key
        self._since = work.clock()
        self._cpu_since = work.cpu()

    def renew(self) -> None:
        """Begin a new slice, because the exchange has just waited for something else."""
        self._since = self._work.clock()
        self._cpu_since = self._work.cpu()

    async def during(self, waiting: Awaitable[_Result]) -> _Result:
        """Await something that only waits, such as a client that reads slowly, and do not count the time as work."""
        began = self._work.clock()
        result = await waiting
        if self._work.clock() - began >= SLICE_S:
            self.renew()
        return result

    async def pause(self, ahead: int = 0) -> None:
        """Wait for a turn if the slice is used up, or if the next `ahead` bytes take longer than a slice."""
        passed_s = self._work.clock() - self._since
        if passed_s >= SLICE_S:
            cpu = self._work.cpu()  # the time in which others had the processor does not count as work
            worked_s = min(passed_s, cpu - self._cpu_since)
            if worked_s < SLICE_S and ahead < LONG:
                return
            self._cpu_since = cpu
            self._work.worked(worked_s)
        elif ahead < LONG:
            return
        await self._work.turn(self._key)
        self.renew()
