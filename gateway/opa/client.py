"""Client for OPA decisions: send a policy input, return a verdict with its revision or a failure that denies.

Rule 1: the paths are constants; no part of a message ever becomes part of a path (CVE-2025-46569).
Rule 2: every query sets `provenance` and `strict-builtin-errors`.
Rule 3: only a well-formed answer of revisions that may be enforced (see `revision_gate`) is a verdict; everything else
is a failure.
Rule 4: a caller's query takes one of the caller's slots (see `limiter`), and its deadline includes the wait for the
slot. The gateway's own queries take no slot.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from gateway.admission.decision import ListingVerdict, PolicyFailure, Verdict
from gateway.admission.policy_input import PolicyInput
from gateway.admission.principal import Principal
from gateway.opa.answer import (
    EMERGENCY,
    ListingAnswer,
    PolicyAnswer,
    late,
    read_decision,
    read_listing,
    revision_of,
    unavailable,
)
from gateway.opa.circuit_breaker import CircuitBreaker
from gateway.opa.limited_client import LimitedClient
from gateway.opa.needed_facts import FactsNeeded
from gateway.opa.revision import Highwater
from gateway.opa.revision_gate import RevisionGate
from gateway.opa.transport import Broken, Exchanged, Transport
from gateway.pipeline.loop_deadlines import WaitBudget

DECISION: Final = "/v1/data/mcp/admission/decision?provenance=true&strict-builtin-errors=true"
LISTING: Final = "/v1/data/mcp/admission/listing?provenance=true&strict-builtin-errors=true"

_Answer = TypeVar("_Answer", PolicyAnswer, ListingAnswer)
_Noted = TypeVar("_Noted", bound=Verdict | ListingVerdict | PolicyFailure)
_Outcome = TypeVar("_Outcome", Verdict, ListingVerdict)


class Deadlines(Struct, frozen=True, kw_only=True):
    """Seconds for a whole query, connection and retry included; see `WaitBudget` for the time that counts."""

    decision: float = 0.25
    listing: float = 1.0


class _Question(Struct):
    input: PolicyInput


class OpaClient:
    """The pipeline's `Policy` port for one OPA; one client per worker."""

    def __init__(
        self,
        exchange: Transport,
        highwater: Highwater,
        *,
        ids: Callable[[], str] = str,
        deadlines: Deadlines | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        """Take one transport. `ids` generates decision ids; by default they are empty and the call's id is used."""
        self._exchange = exchange
        self.enforceable: Final = RevisionGate(highwater)
        self._ids = ids
        self._deadlines = deadlines or Deadlines()
        self.breaker = breaker or CircuitBreaker(time.monotonic)
        self._sharing: Final = LimitedClient(self.breaker)
        self._facts: Final = FactsNeeded()
        self.on_revision: Callable[[], None] = _nobody_listens
        """Called when a new policy or new stops are enforced, before their first decision is returned."""
        self.on_failure: Callable[[PolicyFailure], None] = _nobody_minds
        """Called with the failure when a message or a list could not be decided."""
        self._refused: PolicyFailure | None = None
        self._encoder = msgspec.json.Encoder()

    @property
    def revision(self) -> str:
        """The policy revision that was enforced last, empty before the first."""
        return self.enforceable.revision

    @property
    def standing(self) -> str:
        """The revisions of the policy and of the stops that were enforced last."""
        return self.enforceable.standing

    def caller(self, principal: Principal, source_ip: str) -> str:
        """Return the limiter key for requests of a principal from an address."""
        return self._sharing.caller(principal, source_ip)

    async def decide(self, question: PolicyInput) -> Verdict | PolicyFailure:
        """Return OPA's decision on one message, queried in one of its caller's slots."""
        closed = self._closed()
        if closed is not None:
            return self._noted(closed)
        return self._noted(await self._sharing.answered(question, self._decided, self._deadlines.decision))

    async def revise(self, question: PolicyInput) -> Verdict | PolicyFailure:
        """Return OPA's decision on a message or stream that was admitted before, without using the caller's slots.

        A stop must not wait behind a caller that has taken all of its slots, and a flood must not end a stream.
        """
        closed = self._closed()
        if closed is not None:
            return self._noted(closed)
        asking = self._decided(question)
        return self._noted(await self._in_time(asking, self._deadlines.decision, self.breaker.abandoned))

    async def probe(self, question: PolicyInput) -> Verdict | PolicyFailure:
        """Return OPA's decision on the gateway's own query, whose cost is known.

        The query is sent even while the breaker is open, and its answer closes the breaker or keeps it open. Only here
        does a missed deadline count: a sender controls the cost of its message and could otherwise cause denials for
        all others.
        """
        return await self._in_time(self._decided(question), self._deadlines.decision, self.breaker.silent)

    async def listing(self, question: PolicyInput) -> ListingVerdict | PolicyFailure:
        """Return OPA's verdicts on the items of one list, in order; each chunk takes one of the caller's slots."""
        closed = self._closed()
        if closed is not None:
            return self._noted(closed)
        return self._noted(await self._sharing.answered(question, self._listed, self._deadlines.listing))

    async def _decided(self, question: PolicyInput) -> Verdict | PolicyFailure:
        began = time.perf_counter_ns()
        answer = await self._facts.answered(question, self.revision, self._decision)
        if isinstance(answer, PolicyFailure):
            return answer
        self._sharing.decided(question, answer.result)
        return Verdict(
            decision=answer.result,
            revision=revision_of(answer),
            emergency=revision_of(answer, EMERGENCY),
            decision_id=self._ids(),
            micros=_micros_since(began),
        )

    async def _decision(self, question: PolicyInput) -> PolicyAnswer | PolicyFailure:
        return await self._ask(DECISION, question, read_decision)

    async def _listed(self, question: PolicyInput) -> ListingVerdict | PolicyFailure:
        began = time.perf_counter_ns()
        answer = await self._ask(LISTING, question, read_listing)
        if isinstance(answer, PolicyFailure):
            return answer
        if len(answer.result.items) != len(question.items):
            return unavailable(f"OPA returned {len(answer.result.items)} verdicts for {len(question.items)} items")
        return ListingVerdict(
            listing=answer.result,
            revision=revision_of(answer),
            emergency=revision_of(answer, EMERGENCY),
            micros=_micros_since(began),
        )

    def refuse(self, failure: PolicyFailure | None) -> None:
        """Deny everything for this reason without querying OPA, until called with None."""
        self._refused = failure

    async def close(self) -> None:
        """Close the connections."""
        await self._exchange.close()

    def _noted(self, outcome: _Noted) -> _Noted:
        if isinstance(outcome, PolicyFailure):
            self.on_failure(outcome)
        return outcome

    def _closed(self) -> PolicyFailure | None:
        """Return the denial if OPA must not be queried now."""
        if self._refused is not None:
            return self._refused
        if not self.breaker.admits():
            return unavailable("OPA failed repeatedly; the gateway will retry in a moment")
        return None

    async def _in_time(
        self, asking: Awaitable[_Outcome | PolicyFailure], seconds: float, missed: Callable[[], None]
    ) -> _Outcome | PolicyFailure:
        """Return the answer, or the denial after a timeout, which `missed` reports to the breaker."""
        try:
            async with WaitBudget(seconds):
                return await asking
        except TimeoutError:
            missed()
            return late(seconds)
        except asyncio.CancelledError:
            self.breaker.abandoned()
            raise

    async def _ask(
        self, path: str, question: PolicyInput, read: Callable[[Exchanged], _Answer | PolicyFailure]
    ) -> _Answer | PolicyFailure:
        body = self._body(question)
        if isinstance(body, PolicyFailure):
            self.breaker.abandoned()
            return body
        outcome = await self._judged(path, body, read)
        if isinstance(outcome, PolicyFailure) and outcome.code == "policy_regressed":
            # A newer revision may have overtaken the answer: only an OPA that has really gone back fails both times.
            outcome = await self._judged(path, body, read)
        if isinstance(outcome, PolicyFailure) and outcome.code == "policy_unavailable":
            self.breaker.failed()
        else:
            self.breaker.succeeded()
        return outcome

    def _body(self, question: PolicyInput) -> bytes | PolicyFailure:
        try:
            return self._encoder.encode(_Question(question))
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
            return PolicyFailure(code="policy_error", detail=f"the query cannot be encoded as JSON: {error}")

    async def _judged(
        self, path: str, body: bytes, read: Callable[[Exchanged], _Answer | PolicyFailure]
    ) -> _Answer | PolicyFailure:
        """Query OPA once; return its answer, or the reason why it may not be enforced."""
        exchanged = await self._exchange.exchange(path, body)
        if isinstance(exchanged, Broken):
            return unavailable(exchanged.detail)
        answer = read(exchanged)
        if isinstance(answer, PolicyFailure):
            return answer
        policy, stops = revision_of(answer), revision_of(answer, EMERGENCY)
        if self.enforceable.already_enforced(policy, stops):
            return answer
        before = self.standing
        refusal = await self.enforceable.refusal(policy, stops, self._exchange)
        if refusal is not None:
            return refusal
        if self.standing != before:
            self.on_revision()
        return answer


def _nobody_listens() -> None:
    return


def _nobody_minds(_failure: PolicyFailure) -> None:
    return


def _micros_since(began: int) -> int:
    return (time.perf_counter_ns() - began) // 1000
