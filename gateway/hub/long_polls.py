"""Who is held by a long poll, by the token that they were let in with.

Rule 1: where all places are taken, whoever has most of them gives one back: one token keeps nobody else's gateways from
hearing that what they enforce is still in force.
Rule 2: who gives a place back is answered, as if their time to wait were over.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable
from typing import Any, Final

from gateway.hub.metrics import HubMetrics


class LongPolls:
    """Not to be shared between threads."""

    def __init__(self, most: int, counts: HubMetrics) -> None:
        self.most = most
        self._counts: Final = counts
        self._held: Final[defaultdict[str, list[asyncio.Event]]] = defaultdict(list)

    def room(self, token: str) -> bool:
        """Whether one more may be held: there is a place, or the token with most, had it two more, gives one back."""
        if self._counts.waiting < self.most:
            return True
        own = self._held[token]
        greediest = max(self._held.values(), key=len)
        if len(greediest) < len(own) + 2:
            return False
        greediest.pop().set()
        return True

    async def hold(self, token: str, wait: Awaitable[None]) -> None:
        """Hold one until the wait is over, or the place is given back."""
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
