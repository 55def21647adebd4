"""Turns for large messages: their work is spread over time, and callers take turns.

Rule 1: one large message is processed at a time, in steps. After each step the event loop rests from large messages for
twice as long as the step took. So they use about a third of the loop, however many callers send them.
Rule 2: callers take turns, each with its oldest message. A message that is not large never waits here.
Rule 3: this module refuses nothing. `gateway.server.exchange_limits` limits the bytes of a caller's requests that wait.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from msgspec import Struct

from gateway.admission.inbound_message import Inbound
from gateway.admission.principal import Principal
from gateway.protocol.stepwise import Steps

LARGE: Final = 8 * 1024
"""Bytes from which a request is large and waits for a turn in this module."""
_REST: Final = 2.0
"""Seconds of rest for each second of work."""

_Result = TypeVar("_Result")
_Turn = asyncio.Future[None]


class Sender(Struct, frozen=True, kw_only=True):
    """The principal and the address that sent a message."""

    principal: Principal
    source_ip: str

    @staticmethod
    def of(inbound: Inbound) -> "Sender":
        """Return the sender of a message."""
        return Sender(principal=inbound.principal, source_ip=inbound.source_ip)


class WorkClock(Struct, frozen=True, kw_only=True):
    """The clock that measures work in seconds, and the function that rests."""

    clock: Callable[[], float] = time.perf_counter
    rest: Callable[[float], Awaitable[None]] = asyncio.sleep  # noqa: TID251 - it has to pause


class HeavyTurns:
    """The turns of one worker."""

    def __init__(
        self,
        *,
        caller_of: Callable[[Principal, str], str] | None = None,
        timing: WorkClock | None = None,
    ) -> None:
        """Take the function that names a caller by its principal and address, and the clock."""
        self.caller_of: Final = caller_of or _caller_of
        """Return the caller that a principal at an address counts as, for all shares of callers."""
        self._time: Final = timing or WorkClock()
        self._taken = False
        self._waiting: Final[OrderedDict[str, OrderedDict[_Turn, None]]] = OrderedDict()
        """The turns that each caller waits for, with the next caller first."""

    @asynccontextmanager
    async def turn(self, sender: Sender) -> AsyncGenerator[None]:
        """Hold a turn. Waits inside it must be bounded, because all other large messages wait for it."""
        await self._take(self.caller_of(sender.principal, sender.source_ip))
        try:
            yield
        finally:
            self._pass_on()

    async def run(self, steps: Steps[_Result]) -> _Result:
        """Run the steps of work on a message that has its turn, and return their result."""
        while True:
            began = self._time.clock()
            try:
                next(steps)
            except StopIteration as ended:
                await self._rest(began)
                return ended.value
            await self._rest(began)

    async def paced(self, work: Callable[[], _Result]) -> _Result:
        """Run one more step of work on a large message, rest, and return the result."""
        began = self._time.clock()
        result = work()
        await self._rest(began)
        return result

    async def _rest(self, began: float) -> None:
        await self._time.rest((self._time.clock() - began) * _REST)

    async def _take(self, caller: str) -> None:
        if not self._taken:
            self._taken = True
            return
        turn: _Turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, OrderedDict())[turn] = None
        try:
            await turn
        except asyncio.CancelledError:
            self._give_up(caller, turn)
            raise

    def _give_up(self, caller: str, turn: _Turn) -> None:
        if turn.done() and not turn.cancelled():
            self._pass_on()
            return
        waiting = self._waiting.get(caller, OrderedDict[_Turn, None]())
        waiting.pop(turn, None)
        if not waiting:
            self._waiting.pop(caller, None)

    def _pass_on(self) -> None:
        """Give the turn to the oldest message of the next caller."""
        self._taken = False
        while self._waiting and not self._taken:
            caller, waiting = self._waiting.popitem(last=False)
            turn, _ = waiting.popitem(last=False)
            if waiting:
                self._waiting[caller] = waiting
            if not turn.done():
                self._taken = True
                turn.set_result(None)


def _caller_of(principal: Principal, source_ip: str) -> str:
    return source_ip if principal.method == "none" else principal.key
