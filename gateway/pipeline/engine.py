"""The steps that both directions share: decide, enforce, record.

Rule 1: an action is returned only after its record is in the journal. If the journal fails, the message is refused.
Rule 2: a permit is made only here, from an `Admit` and the receipt of its record.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from gateway.admission import enforce as enforcement
from gateway.admission import question as questions
from gateway.admission.action import Admit, Outbound, permit
from gateway.admission.decision import PolicyFailure, Verdict
from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import Gateway, PolicyInput
from gateway.admission.record import Decided, JournalFailure, Occasion, Receipt
from gateway.admission.record_masking import Masking
from gateway.admission.recording import decided
from gateway.admission.refusal import Refusal, Wording, own
from gateway.pipeline.build_question import QuestionBounds, Stated
from gateway.pipeline.call import Call, Settled
from gateway.pipeline.discovery_limits import DiscoveryLimits
from gateway.pipeline.heavy_turns import LARGE, HeavyTurns
from gateway.pipeline.item_verdicts import Listings
from gateway.pipeline.listing_failures import ended, worded
from gateway.pipeline.ports import (
    Clock,
    Floods,
    Ids,
    Journal,
    Moment,
    NoPeers,
    Peers,
    PolicyEngine,
    PresentationCache,
    Upstream,
)
from gateway.pipeline.recorded_by_count import MessageCounts
from gateway.pipeline.seen_definition import SeenDefinition, subject_of
from gateway.protocol.sealing import Ring


class Dependencies(Struct, frozen=True, kw_only=True):
    """The ports and values of the pipeline. `gateway.app` provides them."""

    policy: PolicyEngine
    journal: Journal
    upstream: Upstream
    definitions: PresentationCache
    listings: Listings
    floods: Floods
    clock: Clock
    ids: Ids
    ring: Ring
    gateway: Gateway
    wording: Wording
    masking: Masking
    looks: DiscoveryLimits
    result_bytes: int
    arguments_bytes: int
    several_issuers: bool
    """True if JWTs of more than one issuer are accepted, so that a subject alone is not a unique name."""
    peers: Peers = field(default_factory=NoPeers)
    """The other workers, which know the owners of names that this worker does not know."""
    turns: HeavyTurns = field(default_factory=HeavyTurns)

    @property
    def bounds(self) -> QuestionBounds:
        """Return the limits of a question."""
        return QuestionBounds(gateway=self.gateway, arguments=self.arguments_bytes, key=self.masking.key)


class Engine:
    """The shared steps. They use the ports and keep no state except message counts."""

    def __init__(self, parts: Dependencies) -> None:
        """Take the dependencies from `gateway.app`."""
        self.parts: Final = parts
        self.counts: Final = MessageCounts()

    def begin(self, inbound: Inbound, question: PolicyInput, begun: Moment) -> Call:
        """Return a new call for a message."""
        return Call(call_id=self.parts.ids.call_id(), inbound=inbound, begun=begun, question=question)

    def begin_stated(self, inbound: Inbound, stated: Stated, sight: SeenDefinition, begun: Moment) -> Call:
        """Return a new call for a message, with its question and the definition seen for its target."""
        return Call(
            call_id=self.parts.ids.call_id(),
            inbound=inbound,
            begun=begun,
            question=stated.question,
            keyed=stated.keyed,
            presented=sight.presented,
            listing_failed=sight.failed,
        )

    async def decide(self, call: Call) -> Call:
        """Return the call with OPA's answer to its question."""
        return _answered(call, await self.parts.policy.decide(call.question))

    async def revise(self, call: Call) -> Call:
        """Return the call with OPA's answer as of now, without using a slot of its caller."""
        return _answered(call, await self.parts.policy.revise(call.question))

    async def asked_again(self, call: Call) -> Call:
        """Return a running call under another id, with OPA's answer to its question as of now."""
        asked = self.begin(call.inbound, self.current(call), self.parts.clock.now())
        return await self.revise(replace(asked, presented=call.presented, listing_failed=call.listing_failed))

    def outcome(self, call: Call) -> Admit | Refusal:
        """Return the outcome of enforcement for a decided call, without any effect."""
        answer = call.answer or _SILENCE
        out = outbound(call.inbound, subject=self._subject(call.inbound, answer))
        listed = call.presented.uri if call.presented else ""
        outcome = enforcement.enforce(answer, out, call.question.target, listed)
        outcome = _same_agent(call.inbound, answer, self._recordable(answer, outcome))
        return outcome if isinstance(outcome, Admit) else ended(call.listing_failed, call.answer, outcome)

    def _recordable(self, answer: Verdict | PolicyFailure, outcome: Admit | Refusal) -> Admit | Refusal:
        """Refuse a call that the catalog wants recorded in full if no auditor's key is configured."""
        if isinstance(outcome, Refusal) or isinstance(answer, PolicyFailure):
            return outcome
        if answer.decision.record != "full" or self.parts.masking.seal is not None:
            return outcome
        refusal = own("recording_unsupported", _UNSEALED, "Ask the gateway's operator to set `journal.auditor_key`.")
        return replace(refusal, decision_id=answer.decision_id, revision=answer.revision)

    async def record_refusal(self, call: Call, refusal: Refusal) -> None:
        """Record why a running call is refused now. The call is ended even if the record fails."""
        await self.record(call, call.answer or _SILENCE, refusal)

    async def settle(self, call: Call) -> Settled:
        """Enforce and record the answer of a decided call, and return the action."""
        answer = call.answer or _SILENCE
        outcome = self.outcome(call)
        if isinstance(outcome, Refusal) and outcome.unauthenticated and not self._first(call.inbound):
            return self.refuse(call, outcome)
        receipt = await self.record(call, answer, outcome)
        if isinstance(receipt, JournalFailure):
            return self.refuse(call, own("journal_unavailable", "the gateway cannot record the decision", _LATER))
        if isinstance(outcome, Refusal):
            return self.refuse(call, outcome)
        forward = permit(outcome, receipt)
        return Settled(call=replace(call, permit=forward.permit), action=forward)

    def _first(self, inbound: Inbound) -> bool:
        """Return whether a message without credentials gets its own record. The others are recorded by their count."""
        now = self.parts.clock.now().unix_ns
        return self.parts.floods.first(inbound.source_ip, inbound.server, "token_unknown", now)

    def _subject(self, inbound: Inbound, answer: Verdict | PolicyFailure) -> str:
        if isinstance(answer, PolicyFailure):
            return ""
        return subject_of(inbound, answer, several_issuers=self.parts.several_issuers)

    def refuse(self, call: Call, refusal: Refusal) -> Settled:
        """Return the refusal in the form that the message's sender understands."""
        action = worded(call.listing_failed, refusal, call.inbound, self.parts.wording)
        return Settled(call=call, action=action, refusal=refusal)

    async def record(
        self, call: Call, answer: Verdict | PolicyFailure, outcome: Admit | Refusal
    ) -> Receipt | JournalFailure:
        """Write the `decided` record, and return when it is durable."""
        now = self.parts.clock.now()
        occasion = Occasion(
            call_id=call.call_id,
            unix_ns=now.unix_ns,
            monotonic_ns=now.monotonic_ns,
            micros=(now.monotonic_ns - call.begun.monotonic_ns) // 1000,
            keyed=call.keyed,
            correlation=call.inbound.correlation,
        )
        enforced = enforcement.enforced(answer, outcome)

        def record() -> Decided:
            return decided(call.question, answer, enforced=enforced, occasion=occasion, masking=self.parts.masking)

        large = call.question.arguments_meta.bytes >= LARGE
        return await self.parts.journal.decided(await self.parts.turns.paced(record) if large else record())

    def current(self, call: Call) -> PolicyInput:
        """Return the call's question as of now, because a stream may have been opened long ago."""
        return questions.at(call.question, self.parts.clock.now().unix_ns)

    async def ask_server_request(self, call: Call, method: str, params: Mapping[str, Any]) -> Refusal | None:
        """Ask whether a request of the server may reach the client. Return null if it may."""
        question = questions.server_request(self.current(call), method=method, params=params)
        asked = self.begin(call.inbound, question, self.parts.clock.now())
        asked = asked if self._askable(question) else replace(asked, question=bare(question), answer=_TOO_MUCH)
        asked = asked if asked.answer else await self.decide(asked)
        answer = asked.answer or _SILENCE
        judged = enforcement.enforce(answer, outbound(call.inbound, subject=""), question.target)
        outcome = self._recordable(answer, judged)
        receipt = await self.record(asked, answer, outcome)
        if isinstance(receipt, JournalFailure):
            return own("journal_unavailable", "the gateway cannot record the decision", _LATER)
        return outcome if isinstance(outcome, Refusal) else None

    def _askable(self, question: PolicyInput) -> bool:
        """Return whether the server's request is within the size limit of clients' arguments.

        A larger question would occupy OPA for too long.
        """
        return question.arguments_meta.bytes <= self.parts.arguments_bytes


def _answered(call: Call, answer: Verdict | PolicyFailure) -> Call:
    """Return the call with its answer. A decision without its own id gets the id of the call."""
    if isinstance(answer, Verdict) and not answer.decision_id:
        answer = replace(answer, decision_id=call.call_id)
    return replace(call, answer=answer)


def bare(question: PolicyInput) -> PolicyInput:
    """Return a question without its arguments."""
    return replace(question, arguments={})


def outbound(inbound: Inbound, *, subject: str) -> Outbound:
    """Return the outbound message for `inbound`, with its own bytes."""
    return Outbound(
        verb=inbound.verb,
        server=inbound.server,
        headers=inbound.headers,
        body=inbound.message.raw if inbound.message else b"",
        subject=subject,
        request_id=inbound.request_id,
        era=inbound.era,
    )


def posted(inbound: Inbound, *, subject: str, body: bytes) -> Outbound:
    """Return the outbound form of the gateway's own message on the channel of `inbound`, which may be a GET stream."""
    kept = [(name, value) for name, value in inbound.headers if name in _SESSION]
    return Outbound(
        verb="POST", server=inbound.server, headers=(*_MESSAGE, *kept), body=body, subject=subject, era=inbound.era
    )


def _same_agent(inbound: Inbound, answer: Verdict | PolicyFailure, outcome: Admit | Refusal) -> Admit | Refusal:
    """Refuse a message whose principal is no longer the agent that opened the session."""
    if inbound.session is None or isinstance(outcome, Refusal) or isinstance(answer, PolicyFailure):
        return outcome
    agent = answer.decision.resolved.agent
    if agent is not None and agent.id == inbound.session.agent:
        return outcome
    return own("session_unknown", "the session belongs to another agent", "Initialize again.")


_MESSAGE: Final = (("content-type", "application/json"), ("accept", "application/json, text/event-stream"))
_SESSION: Final = frozenset({"mcp-session-id", "mcp-protocol-version"})
_UNSEALED: Final = "the catalog requires the arguments in the record, but this gateway has no auditor's key"
_LATER: Final = "Try again in a moment."
_TOO_MUCH: Final = PolicyFailure(code="policy_error", detail="the server's request exceeds `limits.arguments_bytes`")
_SILENCE: Final = PolicyFailure(code="policy_unavailable", detail="the policy was not asked")
