"""List requests of the gateway: shared by messages that need the same list, and limited for each caller.

Rule 1: one list request serves all messages of one principal in one session that wait for the same list.
Rule 2: a list request that was canceled with its own message serves no other message. Each waiting message starts
again.
Rule 3: the number of concurrent list requests of a caller is limited. Further ones wait and are not refused.
Rule 4: a failure is remembered for messages that need no definition. A message that needs one reads the list again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from gateway.admission.inbound_message import Inbound
from gateway.admission.principal import Principal
from gateway.pipeline.listing_failures import ListingFailed, ListOutcome

FAILED_S: Final = 10.0
"""Seconds for which a slow or unsupported list is not read again for a message that policy permits without it."""
_SLOW_S: Final = 1.0
_REMEMBERED: Final = 1_000


class DiscoveryLimits(Struct, frozen=True, kw_only=True):
    """The limits of one listing, over all its pages."""

    timeout_s: float = 20
    total_bytes: int = 32 * 1024 * 1024
    pages: int = 100
    per_caller: int = 8
    """Concurrent listings of one caller. Further ones wait for their turn."""


Look = Callable[[Inbound, str], Awaitable[ListOutcome]]
"""Read a list of the upstream with one list method, in the name of the message's principal."""

_Key = tuple[str, str, str, str, str]
"""Server, revision, session, list method and principal: two listings with the same key are the same."""


class SharedDiscovery:
    """The running listings, and recent failures."""

    def __init__(self, per_caller: int, caller_of: Callable[[Principal, str], str]) -> None:
        """Take the maximum concurrent listings of a caller, and the function that names callers."""
        self._per_caller: Final = per_caller
        self._caller_of: Final = caller_of
        self._under_way: Final[dict[_Key, asyncio.Future[ListOutcome | None]]] = {}
        self._turns: Final[dict[str, _Turns]] = {}
        self._failures: Final[OrderedDict[_Key, tuple[float, ListingFailed]]] = OrderedDict()

    def failed(self, method: str, inbound: Inbound) -> ListingFailed | None:
        """Return the recent failure of the same listing, if it is worth remembering."""
        at, failure = self._failures.get(_key(method, inbound), (0.0, None))
        return failure if asyncio.get_running_loop().time() - at < FAILED_S else None

    async def look(self, method: str, inbound: Inbound, look: Look) -> ListOutcome:
        """Read the list, or wait for a running read of the same list."""
        key = _key(method, inbound)
        while (under_way := self._under_way.get(key)) is not None:
            outcome = await asyncio.shield(under_way)
            if outcome is not None:
                return outcome
        done: asyncio.Future[ListOutcome | None] = asyncio.get_running_loop().create_future()
        self._under_way[key] = done
        outcome = None
        try:
            outcome = await self._in_turn(method, inbound, look)
            return outcome
        finally:
            del self._under_way[key]
            done.set_result(outcome)

    async def _in_turn(self, method: str, inbound: Inbound, look: Look) -> ListOutcome:
        caller = self._caller_of(inbound.principal, inbound.source_ip)
        turns = self._turns.setdefault(caller, _Turns(self._per_caller))
        turns.users += 1
        try:
            async with turns.free:
                begun = asyncio.get_running_loop().time()
                outcome = await look(inbound, method)
                self._remember(_key(method, inbound), outcome, begun)
                return outcome
        finally:
            turns.users -= 1
            if not turns.users:
                del self._turns[caller]

    def _remember(self, key: _Key, outcome: ListOutcome, begun: float) -> None:
        now = asyncio.get_running_loop().time()
        self._failures.pop(key, None)
        if isinstance(outcome, ListingFailed) and (outcome.unsupported or now - begun >= _SLOW_S):
            self._failures[key] = (now, outcome)
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)


def _key(method: str, inbound: Inbound) -> _Key:
    return inbound.server, inbound.revision, inbound.session_text, method, inbound.principal.key


class _Turns:
    """The turns of one caller."""

    __slots__ = ("free", "users")

    def __init__(self, count: int) -> None:
        self.free: Final = asyncio.Semaphore(count)
        self.users = 0
