"""The other workers of this gateway, queried through the supervisor (the pipeline's `Peers` port).

Rule 1: the answer is null if it does not arrive in time, or if a limit (per principal and in total) is reached.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from gateway.protocol.ownership_exchange import Claim, Held

_WAIT_S: Final = 3.0
"""Longer than the supervisor waits for the other workers."""
_PER_PRINCIPAL: Final = 4
_AT_ONCE: Final = 128


class SupervisedPeers:
    """Sends claims to the supervisor, and takes the answers."""

    def __init__(self) -> None:
        """Start without a supervisor: until one listens, no claim gets an answer."""
        self.send: Callable[[int, Claim], None] | None = None
        self._open: Final[dict[int, asyncio.Future[Held | None]]] = {}
        self._by_principal: Final[Counter[str]] = Counter()
        self._asked = 0

    async def held(self, claim: Claim) -> Held | None:
        """Return the names that the other workers hold together; null if one of them did not answer."""
        if self.send is None or len(self._open) >= _AT_ONCE or self._by_principal[claim.principal] >= _PER_PRINCIPAL:
            return None
        self._asked += 1
        number = self._asked
        self._open[number] = asyncio.get_running_loop().create_future()
        self._by_principal[claim.principal] += 1
        self.send(number, claim)
        try:
            return await asyncio.wait_for(self._open[number], _WAIT_S)
        except TimeoutError:
            return None
        finally:
            del self._open[number]
            self._by_principal[claim.principal] -= 1
            if not self._by_principal[claim.principal]:
                del self._by_principal[claim.principal]

    def answered(self, number: int, held: Held | None) -> None:
        """Accept the answer to a claim; an answer that comes too late is dropped."""
        waiting = self._open.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(held)
