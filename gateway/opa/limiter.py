"""Fair concurrency limiter: the slots for OPA queries, shared among callers so that none takes all of them.

Rule 1: a caller may take another slot while it holds less than a third of the number of free slots. One caller alone
gets up to a quarter of all slots, and the more callers hold many, the fewer each gets.
Rule 2: while several callers are active, all slots but `SHARED` are reserved, because each query slows down all others
that OPA evaluates at the same time. A caller that holds no slot may take a reserved one.
Rule 3: a free slot goes to a waiting caller that holds the fewest; callers that hold the same number take turns.
Rule 4: the cost of a step does not depend on how many callers hold slots or wait for them.
Rule 5: at most `QUEUE` queries of one caller wait for a slot. Further queries wait until there is room in the caller's
queue: a refusal would cost more than the query, and a refused program sends it again.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from math import inf
from typing import Final

PLACES: Final = 64
"""Concurrent queries of callers in one worker."""
SHARED: Final = 16
"""Slots that are not reserved while several callers are active."""
_ASKED_S: Final = 1.0
"""Seconds: queries of two callers within this time mean several active callers, for the same time afterwards."""
QUEUE: Final = 48
"""Queries of one caller that wait for a slot: few enough to meet their deadlines."""
_FREE_FOR_EACH: Final = 3

_Turn = asyncio.Future[None]


class CallerQueue:
    """A caller: the number of its slots, and its queries that wait for a slot, the oldest first.

    `later` contains the queries that wait for room in the queue. `coming` counts those that were admitted to the queue
    and have not joined it yet.
    """

    __slots__ = ("coming", "held", "key", "later", "queue")

    def __init__(self, key: str) -> None:
        """Begin with no slots; only `FairLimiter` creates these."""
        self.key: Final = key
        self.held = 0
        self.queue: Final[OrderedDict[_Turn, None]] = OrderedDict()
        self.later: Final[deque[_Turn]] = deque()
        self.coming = 0


class FairLimiter:
    """All slots of one worker. A caller that holds no slot and waits for none is removed."""

    def __init__(self, total: int = PLACES, *, queue: int = QUEUE, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the number of slots, the maximum of waiting queries per caller, and a clock in seconds."""
        self.free = total
        self._kept_back: Final = max(0, total - SHARED)
        self._clock: Final = clock
        self._latest = ""
        """The most recent caller."""
        self._asked_at = self._shared_until = -inf
        self._most_waiting: Final = queue
        self._callers: Final[dict[str, CallerQueue]] = {}
        self._waiting: Final[list[OrderedDict[CallerQueue, None]]] = [OrderedDict() for _ in range(total + 1)]
        """Callers with waiting queries, by the number of slots they hold."""
        self._queued = 0

    def __len__(self) -> int:
        """Return the number of callers that hold slots or wait for one."""
        return len(self._callers)

    def held(self, key: str) -> int:
        """Return the number of slots that a caller holds."""
        caller = self._callers.get(key)
        return 0 if caller is None else caller.held

    def enter(self, key: str) -> CallerQueue | None:
        """Take a slot at once, or return None if the caller must wait for one. `leave` gives it back."""
        self._note(key)
        caller = self._callers.get(key)
        if caller is None:
            if not self.free:
                return None
            caller = self._callers[key] = CallerQueue(key)
        elif caller.queue or caller.later or not self._may(caller.held):
            return None
        caller.held += 1
        self.free -= 1
        return caller

    async def room(self, key: str) -> None:
        """Wait until there is room in the caller's queue. `wait` must follow at once."""
        caller = self._callers.setdefault(key, CallerQueue(key))
        if len(caller.queue) + caller.coming < self._most_waiting and not caller.later:
            caller.coming += 1
            return
        turn: _Turn = asyncio.get_running_loop().create_future()
        caller.later.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                caller.coming -= 1
            self._let_in(caller)
            self._forget(caller)
            raise

    async def wait(self, key: str) -> CallerQueue:
        """Wait for the caller's turn and take a slot. Call it after `enter` returned None and `room` returned."""
        caller = self._callers[key]
        caller.coming -= 1
        if not caller.queue and self._may(caller.held):  # a slot became free while there was no room
            caller.held += 1
            self.free -= 1
            return caller
        turn: _Turn = asyncio.get_running_loop().create_future()
        caller.queue[turn] = None
        self._queued += 1
        self._waiting[caller.held][caller] = None
        try:
            await turn
        except asyncio.CancelledError:
            self._gave_up(caller, turn)
            raise
        return caller

    def leave(self, caller: CallerQueue) -> None:
        """Give a slot back and pass it to the next caller."""
        self._moved(caller, -1)
        self.free += 1
        self._forget(caller)
        while self._queued and (following := self._next()) is not None:
            self._call(following)

    def _may(self, held: int) -> bool:
        if not held:
            return self.free > 0
        kept_back = self._kept_back if self._asked_at < self._shared_until else 0
        return held * _FREE_FOR_EACH < self.free - kept_back

    def _note(self, key: str) -> None:
        """Record the caller, and until when several callers count as active."""
        now = self._clock()
        if key != self._latest:
            if now - self._asked_at < _ASKED_S:
                self._shared_until = now + _ASKED_S
            self._latest = key
        self._asked_at = now

    def _next(self) -> CallerQueue | None:
        """Return the next caller, or None if no waiting caller may take a slot."""
        for held, callers in enumerate(self._waiting):
            if not self._may(held):
                return None
            if callers:
                return next(iter(callers))
        return None

    def _call(self, caller: CallerQueue) -> None:
        """Give a slot to the caller's oldest query, or drop the query if its wait has ended."""
        turn, _ = caller.queue.popitem(last=False)
        self._queued -= 1
        self._let_in(caller)
        wanted = not turn.done()
        self._moved(caller, int(wanted))
        if wanted:
            self.free -= 1
            turn.set_result(None)

    def _moved(self, caller: CallerQueue, places: int) -> None:
        """Count the caller's slots. If it waits, move it behind the callers that hold as many."""
        self._waiting[caller.held].pop(caller, None)
        caller.held += places
        if caller.queue:
            self._waiting[caller.held][caller] = None

    def _gave_up(self, caller: CallerQueue, turn: _Turn) -> None:
        """Remove a query whose wait has ended from the queue, or give back the slot that it got meanwhile."""
        if turn.done() and not turn.cancelled():
            self.leave(caller)
            return
        if turn in caller.queue:
            del caller.queue[turn]
            self._queued -= 1
            self._let_in(caller)
        if not caller.queue:
            self._waiting[caller.held].pop(caller, None)
        self._forget(caller)

    def _let_in(self, caller: CallerQueue) -> None:
        """Admit as many of the queries that wait for room as the queue can take."""
        while caller.later and len(caller.queue) + caller.coming < self._most_waiting:
            turn = caller.later.popleft()
            if not turn.done():
                caller.coming += 1
                turn.set_result(None)

    def _forget(self, caller: CallerQueue) -> None:
        waits = caller.queue or caller.later or caller.coming
        if not caller.held and not waits and self._callers.get(caller.key) is caller:
            del self._callers[caller.key]
