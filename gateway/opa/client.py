"""Decisions: a policy input goes to OPA, a verdict with its revision comes back, or a failure that denies.

Rule 1: the paths are constants; nothing of a message ever becomes part of one (CVE-2025-46569).
Rule 2: `provenance` and `strict-builtin-errors` are on every question.
Rule 3: everything but a well-formed answer of a revision that is not older than the last enforced one is a failure.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from gateway.admission.decision import ListingVerdict, PolicyFailure, Verdict
from gateway.admission.policy_input import PolicyInput
from gateway.opa.answer import Decided, Listed, read_decision, read_listing, revision_of, unavailable
from gateway.opa.breaker import Breaker
from gateway.opa.exchange import Broken, Exchange, Exchanged
from gateway.opa.revision import Highwater, Ratchet, read_revision

DECISION: Final = "/v1/data/mcp/admission/decision?provenance=true&strict-builtin-errors=true"
LISTING: Final = "/v1/data/mcp/admission/listing?provenance=true&strict-builtin-errors=true"

_Answer = TypeVar("_Answer", Decided, Listed)


class Deadlines(Struct, frozen=True, kw_only=True):
    """Seconds that a whole question may take, connection and retry included."""

    decision: float = 0.25
    listing: float = 1.0


class _Question(Struct):
    input: PolicyInput


class OpaClient:
    """The pipeline's `Policy` port over one OPA; one per worker."""

    def __init__(
        self,
        exchange: Exchange,
        highwater: Highwater,
        *,
        ids: Callable[[], str],
        deadlines: Deadlines | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        """Take one exchange; `ids` gives decision ids."""
        self._exchange = exchange
        self._ratchet = Ratchet(highwater)
        self._ids = ids
        self._deadlines = deadlines or Deadlines()
        self.breaker = breaker or Breaker(time.monotonic)
        self.on_revision: Callable[[str], None] = _nobody_listens
        """Called with each newly enforced revision, before its first decision is returned."""
        self._refused = ""
        self._encoder = msgspec.json.Encoder()

    @property
    def revision(self) -> str:
        """The last enforced revision, empty before the first."""
        return self._ratchet.current

    async def decide(self, question: PolicyInput) -> Verdict | PolicyFailure:
        """Return OPA's decision on one message."""
        closed = self._closed()
        if closed is not None:
            return closed
        return await self._decision(question, self.breaker.abandoned)

    async def probe(self, question: PolicyInput) -> Verdict | PolicyFailure:
        """Return OPA's decision on a question of our own, whose cost is known.

        It is asked even while the breaker is open, and its answer closes it or keeps it open. Only here does a deadline
        that is missed count: what a message costs is up to its sender, who could deny all others by it.
        """
        return await self._decision(question, self.breaker.silent)

    async def _decision(self, question: PolicyInput, late: Callable[[], None]) -> Verdict | PolicyFailure:
        began = time.perf_counter_ns()
        asking = self._ask(DECISION, question, read_decision)
        answer = await self._in_time(asking, self._deadlines.decision, late)
        if isinstance(answer, PolicyFailure):
            return answer
        return Verdict(
            decision=answer.result,
            revision=revision_of(answer),
            decision_id=self._ids(),
            micros=_micros_since(began),
        )

    async def listing(self, question: PolicyInput) -> ListingVerdict | PolicyFailure:
        """Return OPA's verdicts on the items of one list, one each, in their order."""
        closed = self._closed()
        if closed is not None:
            return closed
        began = time.perf_counter_ns()
        asking = self._ask(LISTING, question, read_listing)
        answer = await self._in_time(asking, self._deadlines.listing, self.breaker.abandoned)
        if isinstance(answer, PolicyFailure):
            return answer
        if len(answer.result.items) != len(question.items):
            return unavailable(f"OPA judged {len(answer.result.items)} of {len(question.items)} items")
        return ListingVerdict(listing=answer.result, revision=revision_of(answer), micros=_micros_since(began))

    def refuse(self, detail: str) -> None:
        """Deny everything for this reason, unasked, until called with an empty one."""
        self._refused = detail

    async def close(self) -> None:
        """Close the connections."""
        await self._exchange.close()

    def _closed(self) -> PolicyFailure | None:
        """Return the denial where OPA is not to be asked now."""
        if self._refused:
            return unavailable(self._refused)
        if not self.breaker.admits():
            return unavailable("OPA failed repeatedly; it is asked again in a moment")
        return None

    async def _in_time(
        self, asking: Awaitable[_Answer | PolicyFailure], seconds: float, late: Callable[[], None]
    ) -> _Answer | PolicyFailure:
        """Return the answer, or the denial where it did not come in time, after telling the breaker by `late`."""
        try:
            async with asyncio.timeout(seconds):
                return await asking
        except TimeoutError:
            late()
            return unavailable(f"OPA did not answer within {seconds * 1000:.0f} ms")
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
        self._count(outcome)
        return outcome

    def _body(self, question: PolicyInput) -> bytes | PolicyFailure:
        try:
            return self._encoder.encode(_Question(question))
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
            return PolicyFailure(code="policy_error", detail=f"the question cannot be written as JSON: {error}")

    async def _judged(
        self, path: str, body: bytes, read: Callable[[Exchanged], _Answer | PolicyFailure]
    ) -> _Answer | PolicyFailure:
        """Return the answer of an enforceable revision.

        An answer overtaken by a newer revision while it was under way is asked for again, once: only an OPA that has
        really gone back fails both times.
        """
        outcome = await self._answer(path, body, read)
        if isinstance(outcome, PolicyFailure) and outcome.code == "policy_regressed":
            return await self._answer(path, body, read)
        return outcome

    async def _answer(
        self, path: str, body: bytes, read: Callable[[Exchanged], _Answer | PolicyFailure]
    ) -> _Answer | PolicyFailure:
        exchanged = await self._exchange.exchange(path, body)
        if isinstance(exchanged, Broken):
            return unavailable(exchanged.detail)
        answer = read(exchanged)
        return answer if isinstance(answer, PolicyFailure) else self._admitted(answer)

    def _admitted(self, answer: _Answer) -> _Answer | PolicyFailure:
        text = revision_of(answer)
        revision = read_revision(text)
        if revision is None:
            return unavailable(f"OPA's answer names no usable policy revision: {text!r}")
        before = self._ratchet.current
        try:
            turned = self._ratchet.turn(text, revision)
        except OSError as error:
            return unavailable(f"the highest policy revision cannot be kept: {error.strerror or error}")
        if turned:
            if text != before:
                self.on_revision(text)
            return answer
        detail = f"OPA decided by {text}, but {self._ratchet.current or 'a later one'} was already enforced"
        return PolicyFailure(code="policy_regressed", detail=detail, revision=text)

    def _count(self, outcome: _Answer | PolicyFailure) -> None:
        if isinstance(outcome, PolicyFailure) and outcome.code == "policy_unavailable":
            self.breaker.failed()
        else:
            self.breaker.succeeded()


def _nobody_listens(_revision: str) -> None:
    return


def _micros_since(began: int) -> int:
    return (time.perf_counter_ns() - began) // 1000
