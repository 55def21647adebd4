"""The places to ask OPA at once, shared among callers so that none takes all of them.

Rule 1: a caller may take another place while it holds less than a third of those that are free: one alone comes to a
quarter of all, and the more callers hold many, the fewer each gets.
Rule 2: while several callers ask, all places but `SHARED` are kept back, because each question slows down all others
that OPA evaluates at the same time. A caller that holds none may take what is kept back.
Rule 3: a place that becomes free goes to a waiting caller that holds the fewest; callers that hold alike take turns.
Rule 4: what a step costs does not depend on how many hold places or wait for them.
Rule 5: of one caller at most `QUEUE` questions wait for a place. Further ones wait until there is room in its queue: a
refusal would cost more than the question, and a program that is refused sends it again.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from math import inf
from typing import Final

PLACES: Final = 64
"""Questions of callers that one worker asks at once."""
SHARED: Final = 16
"""Places that are not kept back while several callers ask."""
_ASKED_S: Final = 1.0
"""Seconds within which questions of two callers show that several ask, and for which this then counts."""
QUEUE: Final = 48
"""Questions of one caller that wait for a place: few enough to be asked in time."""
_FREE_FOR_EACH: Final = 3

_Turn = asyncio.Future[None]


class CallerQueue:
    """One that asks: how many places it holds, and its questions that wait for one, the oldest first.

    `later` are those that wait for room in the queue, and `coming` is how many of them were let into it and are not in
    it yet.
    """

    __slots__ = ("coming", "held", "key", "later", "queue")

    def __init__(self, key: str) -> None:
        """Begin with none; made by `FairLimiter` only."""
        self.key: Final = key
        self.held = 0
        self.queue: Final[OrderedDict[_Turn, None]] = OrderedDict()
        self.later: Final[deque[_Turn]] = deque()
        self.coming = 0


class FairLimiter:
    """All places of one worker; a caller that holds none and waits for none is forgotten."""

    def __init__(self, total: int = PLACES, *, queue: int = QUEUE, clock: Callable[[], float] = time.monotonic) -> None:
        """Take how many there are, how many questions of one caller may wait, and a clock that counts seconds."""
        self.free = total
        self._kept_back: Final = max(0, total - SHARED)
        self._clock: Final = clock
        self._latest = ""
        """The caller that asked last."""
        self._asked_at = self._shared_until = -inf
        self._most_waiting: Final = queue
        self._callers: Final[dict[str, CallerQueue]] = {}
        self._waiting: Final[list[OrderedDict[CallerQueue, None]]] = [OrderedDict() for _ in range(total + 1)]
        """Callers with questions that wait, by how many places they hold."""
        self._queued = 0

    def __len__(self) -> int:
        """Return how many callers hold places or wait for one."""
        return len(self._callers)

    def held(self, key: str) -> int:
        """Return how many places a caller holds."""
        caller = self._callers.get(key)
        return 0 if caller is None else caller.held

    def enter(self, key: str) -> CallerQueue | None:
        """Take a place at once, or return null where the caller must wait for it; `leave` gives it back."""
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
        """Wait until there is room in the caller's queue; `wait` has to follow at once."""
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
        """Take a place when it is the caller's turn, where `enter` gave none, after `room`."""
        caller = self._callers[key]
        caller.coming -= 1
        if not caller.queue and self._may(caller.held):  # it became free while there was no room
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
        """Give a place back; it goes to whoever's turn it is."""
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
        """Note who asks, and until when several callers count as asking."""
        now = self._clock()
        if key != self._latest:
            if now - self._asked_at < _ASKED_S:
                self._shared_until = now + _ASKED_S
            self._latest = key
        self._asked_at = now

    def _next(self) -> CallerQueue | None:
        """Return whose turn it is; null where nobody that waits may take a place."""
        for held, callers in enumerate(self._waiting):
            if not self._may(held):
                return None
            if callers:
                return next(iter(callers))
        return None

    def _call(self, caller: CallerQueue) -> None:
        """Give a place to the caller's oldest question, or drop it where it is no longer waited for."""
        turn, _ = caller.queue.popitem(last=False)
        self._queued -= 1
        self._let_in(caller)
        wanted = not turn.done()
        self._moved(caller, int(wanted))
        if wanted:
            self.free -= 1
            turn.set_result(None)

    def _moved(self, caller: CallerQueue, places: int) -> None:
        """Count what the caller holds; where it waits, it waits behind those that hold as many."""
        self._waiting[caller.held].pop(caller, None)
        caller.held += places
        if caller.queue:
            self._waiting[caller.held][caller] = None

    def _gave_up(self, caller: CallerQueue, turn: _Turn) -> None:
        """Take out of the queue what is no longer waited for, or give back the place that it got meanwhile."""
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
        """Let in those that wait for room in the queue, as many as there is room for."""
        while caller.later and len(caller.queue) + caller.coming < self._most_waiting:
            turn = caller.later.popleft()
            if not turn.done():
                caller.coming += 1
                turn.set_result(None)

    def _forget(self, caller: CallerQueue) -> None:
        waits = caller.queue or caller.later or caller.coming
        if not caller.held and not waits and self._callers.get(caller.key) is caller:
            del self._callers[caller.key]
