"""Turns on the event loop: work that could go on for long is cut into slices, and those who wait take turns.

Rule 1: an exchange works for at most `SLICE_S` at a time. Then it waits until the loop has served everything else.
Rule 2: of all who wait, one goes on in each turn of the loop. Keys take turns, however many exchanges a key has.
Rule 3: what cannot be cut, such as parsing one message, is bounded by its size and followed by a pause.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Final

SLICE_S: Final = 0.0005
"""Seconds of work before an exchange waits for its turn."""


class Turns:
    """The exchanges of one worker that wait to go on."""

    def __init__(self) -> None:
        """Begin with an empty queue."""
        self._waiting: Final[OrderedDict[Hashable, deque[asyncio.Future[None]]]] = OrderedDict()
        self._scheduled = False

    async def wait(self, key: Hashable) -> None:
        """Wait for a turn; `key` says on whose behalf, such as a caller and a server."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._grant)
        await turn

    def _grant(self) -> None:
        """Let the next exchange go on, and come again in the next turn of the loop."""
        while self._waiting:
            key, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[key] = queue
            if not turn.done():
                turn.set_result(None)
                break
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._grant)


class TurnBudget:
    """What one exchange may do before it waits for its turn."""

    __slots__ = ("_key", "_since", "_turns")

    def __init__(self, turns: Turns, key: Hashable) -> None:
        """Take the queue, and on whose behalf the exchange waits in it; the first slice begins now."""
        self._turns: Final = turns
        self._key: Final = key
        self._since = asyncio.get_running_loop().time()

    def renew(self) -> None:
        """Begin a slice: the exchange has just waited for something else."""
        self._since = asyncio.get_running_loop().time()

    async def pause(self) -> None:
        """Wait for a turn if the slice is used up."""
        if asyncio.get_running_loop().time() - self._since >= SLICE_S:
            await self._turns.wait(self._key)
            self.renew()
