"""Looks at servers' lists: shared by messages that ask for the same one, and bounded for each caller.

Rule 1: one look answers all messages of one principal in one session that wait for the same list.
Rule 2: a look that was canceled with its own message answers nobody: those that waited look for themselves.
Rule 3: a caller has at most so many looks at a time; further ones wait, so that none is refused for it.
Rule 4: a failure is remembered for messages that need no definition; what needs one looks again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from gateway.admission.inbound import Inbound
from gateway.admission.principal import Principal
from gateway.pipeline.listing_failures import ListingFailed, ListOutcome

FAILED_S: Final = 10.0
"""For this long, a list that failed slowly, or that the server does not have, is not read again for a message that
policy lets pass without it."""
_SLOW_S: Final = 1.0
_REMEMBERED: Final = 1_000


class DiscoveryLimits(Struct, frozen=True, kw_only=True):
    """What one look may take, over all pages of a list together."""

    timeout_s: float = 20
    total_bytes: int = 32 * 1024 * 1024
    pages: int = 100
    per_caller: int = 8
    """Looks of one caller at a time; further ones wait for their turn."""


Look = Callable[[Inbound, str], Awaitable[ListOutcome]]
"""Lists the upstream by one list method, in the name of the inbound's principal."""

_Key = tuple[str, str, str, str, str]
"""Server, revision, session, list method, principal: what makes two list requests of the gateway the same."""


class SharedDiscovery:
    """The looks under way, and the failures of a moment ago."""

    def __init__(self, per_caller: int, caller_of: Callable[[Principal, str], str]) -> None:
        """Take how many looks one caller may have at a time, and what names callers by principal and address."""
        self._per_caller: Final = per_caller
        self._caller_of: Final = caller_of
        self._under_way: Final[dict[_Key, asyncio.Future[ListOutcome | None]]] = {}
        self._turns: Final[dict[str, _Turns]] = {}
        self._failures: Final[OrderedDict[_Key, tuple[float, ListingFailed]]] = OrderedDict()

    def failed(self, method: str, inbound: Inbound) -> ListingFailed | None:
        """Return how the same look failed a moment ago, if that is worth remembering."""
        at, failure = self._failures.get(_key(method, inbound), (0.0, None))
        return failure if asyncio.get_running_loop().time() - at < FAILED_S else None

    async def look(self, method: str, inbound: Inbound, look: Look) -> ListOutcome:
        """Look, or wait for the same look that is already under way."""
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
