"""The open long polls, grouped by the token of the caller.

Rule 1: when the limit is reached, the token with the most long polls gives one up. One token cannot keep the gateways
of other tokens from confirming that their bundle is still in force.
Rule 2: a long poll that is given up is answered, as if its wait had ended.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable
from typing import Any, Final

from gateway.hub.metrics import HubMetrics


class LongPolls:
    """The limit on open long polls; not thread-safe."""

    def __init__(self, most: int, counts: HubMetrics) -> None:
        self.most = most
        self._counts: Final = counts
        self._held: Final[defaultdict[str, list[asyncio.Event]]] = defaultdict(list)

    def room(self, token: str) -> bool:
        """Return whether one more fits: the limit is not reached, or the token with the most (two more) gave one up."""
        if self._counts.waiting < self.most:
            return True
        own = self._held[token]
        greediest = max(self._held.values(), key=len)
        if len(greediest) < len(own) + 2:
            return False
        greediest.pop().set()
        return True

    async def hold(self, token: str, wait: Awaitable[None]) -> None:
        """Hold a long poll until its wait ends, or until it is given up."""
        given_back, places = asyncio.Event(), self._held[token]
        places.append(given_back)
        self._counts.waiting += 1
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(wait), asyncio.ensure_future(given_back.wait())]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for each in waits:
                each.cancel()
            self._counts.waiting -= 1
            if given_back in places:
                places.remove(given_back)
