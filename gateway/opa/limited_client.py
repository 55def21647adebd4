"""Admission queue of OPA queries: wait for one of the caller's slots, then query OPA; a timeout is a denial.

Rule 1: a query's deadline includes its wait in the caller's queue. It excludes the wait for room in that queue and the
time in which the event loop was busy with another exchange. A query that had to wait and missed its deadline is refused
with that reason.
Rule 2: a timeout here can be caused by the caller and shows nothing about OPA, so the breaker never counts it.
Rule 3: late queries are refused one in each pass of the event loop, so that many at once do not block it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gateway.admission.decision import Decision, ListingVerdict, PolicyFailure, Verdict
from gateway.admission.policy_input import PolicyInput
from gateway.admission.principal import Principal
from gateway.opa.answer import late
from gateway.opa.circuit_breaker import CircuitBreaker
from gateway.opa.limiter import PLACES, FairLimiter
from gateway.opa.limiter_keys import LimiterKeys
from gateway.pipeline.loop_deadlines import WaitBudget
from gateway.pipeline.loop_turns import loop_turns

_Outcome = TypeVar("_Outcome", Verdict, ListingVerdict)


class LimitedClient:
    """The slots of one worker and the keys of its callers."""

    def __init__(self, breaker: CircuitBreaker, places: FairLimiter | None = None) -> None:
        """Take the breaker that admitted the queries."""
        self._breaker: Final = breaker
        self._places: Final = FairLimiter() if places is None else places
        self._callers: Final = LimiterKeys()

    async def answered(
        self,
        question: PolicyInput,
        ask: Callable[[PolicyInput], Awaitable[_Outcome | PolicyFailure]],
        seconds: float,
    ) -> _Outcome | PolicyFailure:
        """Return the result of `ask`, called in one of the caller's slots, or the denial after a timeout."""
        key = self._callers.key(question)
        caller = self._places.enter(key)
        if caller is None:
            await self._roomed(key)
        crowded = None if caller else _crowded(self._places.held(key), seconds)
        try:
            async with WaitBudget(seconds):
                caller = caller or await self._places.wait(key)
                return await ask(question)
        except TimeoutError:
            pass  # refused below
        except asyncio.CancelledError:
            self._breaker.abandoned()
            raise
        finally:
            if caller is not None:
                self._places.leave(caller)
        self._breaker.abandoned()
        await loop_turns().starts.turn(key)
        return crowded or late(seconds)

    async def _roomed(self, key: str) -> None:
        """Wait for room in the caller's queue."""
        try:
            await self._places.room(key)
        except asyncio.CancelledError:
            self._breaker.abandoned()
            raise

    def caller(self, principal: Principal, source_ip: str) -> str:
        """Return the limiter key for requests of a principal from an address."""
        return self._callers.caller(principal, source_ip)

    def decided(self, question: PolicyInput, decision: Decision) -> None:
        """Learn from a decision whether policy knows the caller."""
        self._callers.decided(question, decision)


def _crowded(held: int, seconds: float) -> PolicyFailure:
    """Return the denial of a query that had to wait: its caller held its maximum of slots, or others held all."""
    waited = f"the query did not finish within {seconds * 1000:.0f} ms"
    if held:
        return PolicyFailure(code="too_many_questions", detail=f"the caller held {held} of {PLACES} slots; {waited}")
    return PolicyFailure(code="overloaded", detail=f"other callers held all slots; {waited}")
