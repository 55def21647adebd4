"""The pipeline of every client message: read -> ask -> decide -> enforce -> record.

Rule 1: an action is returned only after its record is in the journal.
Rule 2: every path that does not end in a permit ends in a refusal.
Rule 3: a message that needs no question by the method table passes only on a permit that its sender already holds.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec.structs import replace

from gateway.admission.action import Action, Answer, Forward, again
from gateway.admission.decision import PolicyFailure
from gateway.admission.inbound_message import Inbound
from gateway.admission.listing import LISTS
from gateway.admission.record import JournalFailure, Occasion
from gateway.admission.recording import PartialMessage, refused
from gateway.admission.refusal import JSON, Refusal, malformed_answer, own, rpc_error
from gateway.admission.refusal import answer as refusal_answer
from gateway.pipeline.build_question import plain, stating
from gateway.pipeline.call import Call, Settled
from gateway.pipeline.capabilities import Capabilities, declared_by
from gateway.pipeline.definition_discovery import look
from gateway.pipeline.discovery_limits import SharedDiscovery
from gateway.pipeline.engine import Dependencies, Engine, outbound
from gateway.pipeline.error_to_server import withheld
from gateway.pipeline.heavy_turns import LARGE, Sender
from gateway.pipeline.listing_failures import UNSETTLED, ListOutcome, needs_definition
from gateway.pipeline.loop_turns import budget_of
from gateway.pipeline.messages_to_client import Replies
from gateway.pipeline.narrowing import LISTEN, Narrowing, NarrowingSources
from gateway.pipeline.ownership import Ownership
from gateway.pipeline.ports import Moment
from gateway.pipeline.progress import ProgressTokens
from gateway.pipeline.running_calls import RunningCalls
from gateway.pipeline.running_tasks import Tasks
from gateway.pipeline.seen_definition import DefinitionFinder, SeenDefinition
from gateway.pipeline.server_messages import ServerMessages
from gateway.pipeline.standing_permits import StandingPermits
from gateway.pipeline.task_ids import TaskIds, asks_for_task
from gateway.protocol.malformed import Malformed
from gateway.protocol.stepwise import finish

_ATTEMPTS: Final = 4
_DROPPED: Final = 202

Decide = Callable[[Call], Awaitable[Call]]
"""Query OPA for a call, either in a slot of the caller or at the gateway's own expense."""


class Pipeline:
    """Admission of client messages and judgment of server messages."""

    def __init__(self, parts: Dependencies, *, ttl_cap_ms: int) -> None:
        """Take the dependencies from `gateway.app`. Clients may cache filtered lists for `ttl_cap_ms` milliseconds."""
        self.engine: Final = Engine(parts)
        looks = SharedDiscovery(parts.looks.per_caller, parts.turns.caller_of)
        self.presentation: Final = DefinitionFinder(parts.definitions, looks, several_issuers=parts.several_issuers)
        self.passages: Final = StandingPermits()
        self.progress: Final = ProgressTokens()
        self.running: Final = RunningCalls(self.engine)
        self.tasks: Final = Tasks(self.engine, self.running)
        self._bounds: Final = parts.bounds
        self._capabilities: Final = Capabilities(parts.listings)
        self.ownership: Final = Ownership(parts.peers)
        self._task_ids: Final = TaskIds(self.engine, self.ownership)
        server = ServerMessages(self.engine, self.progress, self._task_ids)
        self._replies: Final = Replies(self.engine, self._capabilities, self._task_ids, server, ttl_cap_ms=ttl_cap_ms)

    async def admit(self, inbound: Inbound) -> Settled:
        """Return the action for a client's message."""
        begun = self.engine.parts.clock.now()
        owned = await self._owned(inbound, begun)
        if isinstance(owned, Settled):
            return await self._answered(owned)
        inbound = owned
        held = self._held(inbound) if inbound.method.asked == "no" else None
        if held is not None:
            return held
        call = await self._asked(inbound, begun)
        unread = isinstance(call, Malformed)
        settled = await self._unread(inbound, call) if unread else await self.engine.settle(call)
        settled = await self._answered(settled)
        self.passages.keep(settled.call)
        return self._stamped(settled)

    async def settle(self, call: Call, raw: bytes, *, alone: bool = False) -> Action:
        """Return the action for one message that the upstream sent on the channel of `call`.

        `alone` is true if the body contains only this message.
        """
        action = await self._replies.settle(call, raw, alone=alone)
        if isinstance(action, Answer) and not action.code:
            self.tasks.see(call, raw)
        return action

    def record_counts(self) -> None:
        """Write the counts since the last call to the journal, and notify about list changes that were held back."""
        parts = self.engine.parts
        parts.definitions.notify()
        for counted in self.engine.counts.taken(parts.clock.now()):
            parts.journal.counted(counted)

    async def stands(self, call: Call) -> Refusal | None:
        """Ask the policy in force now whether an open stream may stay open. Return null if it may."""
        begun = self.engine.parts.clock.now()
        again_asked = await self._decided(call.inbound, begun, self.engine.revise)
        if isinstance(again_asked, Malformed):
            return own("policy_denied", "the policy can no longer judge the stream")
        return (await self.engine.settle(again_asked)).refusal

    async def turn_away(
        self, code: str, about: PartialMessage, *, source_ip: str, answer: Answer, count: int = 1
    ) -> Answer:
        """Record a refusal without a decision and return its answer, or an error if it cannot be recorded.

        `count` is the number of equal refusals that the record stands for.
        """
        parts = self.engine.parts
        now = parts.clock.now()
        occasion = Occasion(call_id=parts.ids.call_id(), unix_ns=now.unix_ns, monotonic_ns=now.monotonic_ns)
        alone = refused(occasion, code=code, source_ip=source_ip, about=about, masking=parts.masking)
        record = replace(alone, count=count)
        if isinstance(await parts.journal.refused(record), JournalFailure):
            unwritten = own("journal_unavailable", "the gateway cannot record the refusal")
            return Answer(status=503, body=rpc_error(unwritten, None, parts.wording), headers=JSON)
        return answer

    async def _owned(self, inbound: Inbound, begun: Moment) -> Inbound | Settled:
        """Return the message with the server's own ids. Refuse a message that names something of another caller."""
        opened = self._task_ids.opened(inbound)
        if isinstance(opened, Malformed):
            answer = malformed_answer(opened, inbound.names, self.engine.parts.wording)
            return await self._foreign(inbound, begun, own("task_unknown", opened.reason), answer)
        fault = await self.ownership.fault(opened)
        if fault is not None:
            return await self._foreign(inbound, begun, own(fault.code, fault.reason), Answer(status=_DROPPED))
        if not asks_for_task(opened):
            return opened
        question = plain(opened, unix_ns=begun.unix_ns, gateway=self.engine.parts.gateway)
        refusal = await self._task_ids.refused(opened, question)
        if refusal is None:
            return opened
        told = refusal_answer(refusal, opened, self.engine.parts.wording)
        return await self._foreign(
            opened, begun, refusal, told if isinstance(told, Answer) else Answer(status=_DROPPED)
        )

    async def _foreign(self, inbound: Inbound, begun: Moment, refusal: Refusal, answer: Answer) -> Settled:
        """Refuse a message without a decision and record its sender. Equal refusals within a second share a record."""
        parts, asks = self.engine.parts, inbound.request_id is not None
        question = plain(inbound, unix_ns=begun.unix_ns, gateway=parts.gateway)
        call, answer = self.engine.begin(inbound, question, begun), answer if asks else Answer(status=_DROPPED)
        caller, source_ip = inbound.principal, inbound.source_ip
        if parts.floods.first(source_ip, inbound.server, refusal.code, begun.unix_ns, caller=caller):
            about = PartialMessage(
                server=inbound.server,
                method=inbound.method.name,
                detail=refusal.reasons[0].message,
                status=answer.status,
                body=inbound.message.raw if inbound.message else b"",
                caller=caller,
                correlation=inbound.correlation,
            )
            answer = await self.turn_away(refusal.code, about, source_ip=source_ip, answer=answer)
        return Settled(call=call, action=answer, refusal=refusal)

    async def _asked(self, inbound: Inbound, begun: Moment) -> Call | Malformed:
        """Remove the capabilities and filter entries that policy does not list, and ask about the rest."""
        if inbound.method.name != LISTEN and declared_by(inbound) is None:
            return await self._decided(inbound, begun)
        narrowed = await self._narrowed(inbound, begun)
        if isinstance(narrowed, PolicyFailure):
            question = plain(inbound, unix_ns=begun.unix_ns, gateway=self.engine.parts.gateway)
            return replace(self.engine.begin(inbound, question, begun), answer=narrowed)
        return narrowed if isinstance(narrowed, Malformed) else await self._decided(narrowed, begun)

    async def _narrowed(self, inbound: Inbound, begun: Moment) -> Inbound | Malformed | PolicyFailure:
        """Return the message without the capabilities and filter entries that policy does not list."""
        parts = self.engine.parts
        question = plain(inbound, unix_ns=begun.unix_ns, gateway=parts.gateway)
        agreed = await self._capabilities.asked(inbound, question)
        if isinstance(agreed, PolicyFailure) or inbound.method.name != LISTEN:
            return agreed
        budget = budget_of(inbound)
        sources = NarrowingSources(self.presentation, parts.listings)
        narrowing = Narrowing(sources, parts.policy.standing, self._look, budget)
        return await narrowing.narrowed(agreed, question)

    async def _decided(self, inbound: Inbound, begun: Moment, decide: Decide | None = None) -> Call | Malformed:
        """Ask, and ask again while the answer does not count.

        An answer does not count if it names a credential other than the one of the judged view, if news of the
        definition arrived meanwhile, or if it needs a definition whose list was not read again after a failure.
        """
        parts = self.engine.parts
        call: Call | Malformed | None = None
        insist = False
        for _ in range(_ATTEMPTS):
            sight = await self.presentation.sight(inbound, parts.policy.standing, self._look, insist=insist)
            call = await self._judged(inbound, sight, begun, decide or self.engine.decide)
            if isinstance(call, Malformed):
                return call
            view = self.presentation.remember(inbound, call.answer) if call.answer else None
            insist = sight.recalled and needs_definition(call.answer)
            if not insist and self.presentation.confirms(inbound, sight, view):
                return replace(call, view=view)
        unsure = self.engine.begin(inbound, plain(inbound, unix_ns=begun.unix_ns, gateway=parts.gateway), begun)
        return replace(call or unsure, answer=None, listing_failed=UNSETTLED)

    async def _judged(self, inbound: Inbound, sight: SeenDefinition, begun: Moment, decide: Decide) -> Call | Malformed:
        """Build the question and ask it. A large message waits for a turn of its caller first."""
        parts, size = self.engine.parts, len(inbound.message.raw) if inbound.message else 0
        stating_it = stating(inbound, sight, begun.unix_ns, self._bounds)
        if size < LARGE:
            stated = finish(stating_it)
            if isinstance(stated, Malformed):
                return stated
            return await decide(self.engine.begin_stated(inbound, stated, sight, begun))
        async with parts.turns.turn(Sender.of(inbound)):
            stated = await parts.turns.run(stating_it)
            if isinstance(stated, Malformed):
                return stated
            return await decide(self.engine.begin_stated(inbound, stated, sight, begun))

    async def _answered(self, settled: Settled) -> Settled:
        """Replace a client's answer that is refused with an error. If the error is refused too, send nothing."""
        if settled.refusal is None or settled.refusal.unauthenticated:
            return settled
        error = withheld(settled.call.inbound)
        if error is None:
            return settled
        call = await self._decided(error, self.engine.parts.clock.now())
        if isinstance(call, Malformed):
            return settled
        instead = await self.engine.settle(call)
        return settled if instead.refusal is not None else replace(instead, refusal=settled.refusal)

    def _held(self, inbound: Inbound) -> Settled | None:
        """Forward a message that needs no question on the permit of an earlier one; null if there is none."""
        passage = self.passages.find(inbound, self.engine.parts.policy.standing)
        if passage is None or passage.permit is None:
            return None
        call = replace(passage, inbound=inbound, call_id=self.engine.parts.ids.call_id())
        self.engine.counts.add(inbound.server, inbound.method.name, "client")
        travelling = outbound(inbound, subject=passage.permit.outbound.subject)
        return Settled(call=call, action=again(passage.permit, travelling))

    async def _unread(self, inbound: Inbound, malformed: Malformed) -> Settled:
        """Refuse a message that is malformed according to the definition of its target."""
        about = PartialMessage(
            server=inbound.server,
            method=inbound.method.name,
            detail=malformed.reason,
            status=malformed.status,
            correlation=inbound.correlation,
        )
        given = malformed_answer(malformed, inbound.names, self.engine.parts.wording)
        answer = await self.turn_away("message_malformed", about, source_ip=inbound.source_ip, answer=given)
        question = plain(inbound, unix_ns=self.engine.parts.clock.now().unix_ns, gateway=self.engine.parts.gateway)
        call = self.engine.begin(inbound, question, self.engine.parts.clock.now())
        return Settled(call=call, action=answer, refusal=own("message_malformed", malformed.reason))

    def _stamped(self, settled: Settled) -> Settled:
        """Note the time of a client's list request in its call, so that its answer can be learned."""
        inbound = settled.call.inbound
        if inbound.method.name not in LISTS or not isinstance(settled.action, Forward):
            return settled
        ticket = self.engine.parts.definitions.ticket(inbound.server, inbound.method.name)
        return replace(settled, call=replace(settled.call, ticket=ticket))

    async def _look(self, inbound: Inbound, method: str) -> ListOutcome:
        return await look(self, inbound, method)
