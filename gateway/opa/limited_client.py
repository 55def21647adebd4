"""A caller's question waits for a place of its caller's, is asked in it, and is late or crowded out as a denial.

Rule 1: the time that a question may take includes its wait in the caller's queue, but not the wait for room in it, and
no time in which the event loop was busy with another exchange. A question that had to wait and came too late is refused
with that reason.
Rule 2: what a caller can provoke here says nothing about OPA: the breaker never counts it.
Rule 3: late questions are refused one in each pass of the event loop, so that many at once do not hold it.
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
    """The places of one worker, and who its callers are."""

    def __init__(self, breaker: CircuitBreaker, places: FairLimiter | None = None) -> None:
        """Take the breaker that admits questions before they come here."""
        self._breaker: Final = breaker
        self._places: Final = FairLimiter() if places is None else places
        self._callers: Final = LimiterKeys()

    async def answered(
        self,
        question: PolicyInput,
        ask: Callable[[PolicyInput], Awaitable[_Outcome | PolicyFailure]],
        seconds: float,
    ) -> _Outcome | PolicyFailure:
        """Return what `ask` returns, called in a place of the caller's, or the denial where this took too long."""
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
        """Return the name under which whatever a principal sends from an address is counted."""
        return self._callers.caller(principal, source_ip)

    def decided(self, question: PolicyInput, decision: Decision) -> None:
        """Learn from a decision whether its caller is somebody."""
        self._callers.decided(question, decision)


def _crowded(held: int, seconds: float) -> PolicyFailure:
    """Return the denial of a question that had to wait: its caller held as many places as it may, or others all."""
    waited = f"OPA could not be asked and answer within {seconds * 1000:.0f} ms"
    if held:
        return PolicyFailure(code="too_many_questions", detail=f"the caller held {held} of {PLACES} places; {waited}")
    return PolicyFailure(code="overloaded", detail=f"other callers held all places; {waited}")
