"""The one place that performs actions: forward, answer or withhold a message.

Rule 1: a message is forwarded only while its client is connected, and never twice.
Rule 2: every forward ends with its `completed` record, with every outcome.
Rule 3: if a modern client disconnects, its upstream is closed at once. If a legacy client does, its upstream is
drained, within limits. A standing stream has no answer, so it is closed at once in both eras, and its server lets the
client open another.
Rule 4: a stream ends with the credential that opened it, independently of policy.
Rule 5: a call that is refused while it runs is ended upstream at once. Its client learns that the call was sent.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, assert_never

from gateway.admission.action import Answer, Forward, Withhold
from gateway.admission.decision import Verdict
from gateway.admission.record import Completed
from gateway.admission.refusal import Refusal, own
from gateway.admission.refusal import answer as refusal_answer
from gateway.admission.refused_definition import refused_instructions, refused_target
from gateway.pipeline import Pipeline
from gateway.pipeline.call import Call, Settled
from gateway.pipeline.item_verdicts import refused_for_drift
from gateway.pipeline.ports import UpstreamFailure
from gateway.server.asgi_exchange import AsgiExchange
from gateway.server.exchange_end_causes import Termination
from gateway.server.exchange_stats import ExchangeStats
from gateway.server.gateway_closed_exchanges import break_off, close_stream
from gateway.server.ports import CredentialVerifier, Meters
from gateway.server.recipient import RelayLimits
from gateway.server.relay import Relay
from gateway.server.sessions import learn
from gateway.server.streams import Streams
from gateway.server.unauthenticated import unverified_answer

_ACCEPTED: Final = 202
_ERROR: Final = 400
_FAILED: Final = "the gateway failed; the message may have been executed"
_ANSWER_S: Final = 5.0
"""Maximum time in seconds that a client that does not read delays the end of a stopped call."""


class Performer:
    """Performs settled messages of clients."""

    def __init__(
        self, pipeline: Pipeline, streams: Streams, meters: Meters, callers: CredentialVerifier, limits: RelayLimits
    ) -> None:
        """Take the components of the endpoint."""
        self._pipeline: Final = pipeline
        self._streams: Final = streams
        self._meters: Final = meters
        self._callers: Final = callers
        self._limits: Final = limits
        self.sessionless: Final = set[str]()
        """Servers that this worker has seen answer without a session."""

    async def perform(self, edge: AsgiExchange, settled: Settled) -> None:
        """Perform the settled action."""
        self._count(settled)
        if settled.refusal is not None and settled.refusal.unauthenticated:
            await self._unauthenticated(edge, settled)
            return
        match settled.action:
            case Answer():
                await edge.respond(settled.action.status, settled.action.headers, settled.action.body)
            case Withhold():
                await edge.respond(_ACCEPTED, (), b"")
            case Forward():
                await self._forward(edge, settled.call, settled.action)
            case _:
                assert_never(settled.action)

    async def _unauthenticated(self, edge: AsgiExchange, settled: Settled) -> None:
        inbound = settled.call.inbound
        caller = self._callers.unknown(inbound.server, source_ip=inbound.source_ip)
        answer = unverified_answer(caller, inbound.request_id)
        await edge.respond(answer.status, answer.headers, answer.body)

    async def _forward(self, edge: AsgiExchange, call: Call, forward: Forward) -> None:
        relay = Relay(self._pipeline, edge, call, self._limits)
        task = asyncio.current_task()
        stopped = Termination(task, edge)
        self._pipeline.progress.begin(call)
        edge.watch(stopped if _ends_with_client(call) else _nothing)
        try:
            if call.inbound.method.asked != "stream":
                await asyncio.sleep(0)  # noqa: TID251 - lets the watch notice a client that left during the decision
            if not edge.gone:
                with self._pipeline.ownership.exchange(call.inbound, call.call_id):
                    await self._exchanged(edge, call, forward, relay, stopped)
        except asyncio.CancelledError:
            if task is not None:
                task.uncancel()
            await self._ended(edge, call, relay, stopped)
        except Exception:
            relay.outcome.code, relay.outcome.detail = "internal_failure", _FAILED
            raise
        finally:
            if edge.gone and relay.outcome.code == "answered":
                relay.outcome.code = "client_gone"
            relay.outcome.detail = stopped.detail or relay.outcome.detail
            self._pipeline.progress.end(call, answered=relay.answered)
            self._complete(call, relay.outcome, stopped.reason)

    async def _exchanged(
        self, edge: AsgiExchange, call: Call, forward: Forward, relay: Relay, stopped: Termination
    ) -> None:
        if call.inbound.method.asked == "stream":
            await self._streamed(edge, call, forward, relay, stopped)
            return
        exchange = self._pipeline.running.begin(call, stopped.refuse)
        try:
            await self._sent(edge, call, forward, relay, stopped)
        finally:
            self._pipeline.running.finish(exchange)

    async def _streamed(
        self, edge: AsgiExchange, call: Call, forward: Forward, relay: Relay, stopped: Termination
    ) -> None:
        stream = self._streams.begin(call, stopped.close)
        if stream is None:
            refusal = own("rate_limited", "too many streams are open", "Close a stream first.")
            await self._answer(edge, refusal_answer(refusal, call.inbound, self._pipeline.engine.parts.wording))
            relay.outcome.code = "rate_limited"
            return
        self._meters.streams(len(self._streams))
        ending = stopped.expiring(call)
        try:
            await self._sent(edge, call, forward, relay, stopped)
        finally:
            if ending is not None:
                ending.cancel()
            self._streams.end(stream)
            self._meters.streams(len(self._streams))

    async def _ended(self, edge: AsgiExchange, call: Call, relay: Relay, stopped: Termination) -> None:
        """End the client's answer. Cancel a call upstream if policy ended it. A client that left needs no answer."""
        if stopped.refusal is None:
            if stopped.reason == "closed":
                await close_stream(edge, call, relay)
            elif not stopped.reason:  # the worker ends
                await break_off(edge, relay)
            edge.abort()
            return
        self._pipeline.running.cancel(call)
        try:
            async with asyncio.timeout(_ANSWER_S):
                await relay.stop(stopped.refusal)
        except TimeoutError:
            edge.abort()

    async def _sent(self, edge: AsgiExchange, call: Call, forward: Forward, relay: Relay, stopped: Termination) -> None:
        parts = self._pipeline.engine.parts
        sent_ns = parts.clock.now().monotonic_ns
        sending = parts.upstream.send(forward)
        reply = await (relay.head(sending) if call.inbound.verb == "GET" else sending)
        relay.outcome.upstream_micros = (parts.clock.now().monotonic_ns - sent_ns) // 1000
        if isinstance(reply, UpstreamFailure):
            await relay.fail(reply)
            return
        if reply.media == "sse" and not _ends_with_client(call):
            edge.watch(_nothing)
        try:
            await relay.run(reply)
            if relay.answered and reply.status < _ERROR:
                learn(self.sessionless, call, reply)
        finally:
            drains = edge.gone and not _ends_with_client(call) and not stopped.reason
            await relay.close(reply, drain=drains)
            if drains:
                self._pipeline.running.drain(call, reply)

    async def _answer(self, edge: AsgiExchange, answer: Answer | Withhold) -> None:
        if isinstance(answer, Answer):
            await edge.respond(answer.status, answer.headers, answer.body)
        else:
            await edge.respond(_ACCEPTED, (), b"")

    def _complete(self, call: Call, outcome: ExchangeStats, closed: str) -> None:
        parts = self._pipeline.engine.parts
        now = parts.clock.now()
        self._meters.upstream(closed or outcome.code)
        if outcome.code != "answered":
            self._meters.refused(outcome.code, detail=outcome.detail, server=call.inbound.server)
        if outcome.withheld:
            self._meters.withheld(call.inbound.server, outcome.withheld)
        removed = outcome.removed_instructions
        if removed is not None:
            self._meters.changed_instructions(
                refused_instructions(call.inbound.server, removed, revision=_revision(call))
            )
        parts.journal.completed(
            Completed(
                call_id=call.call_id,
                unix_ns=now.unix_ns,
                monotonic_ns=now.monotonic_ns,
                outcome=closed or outcome.code,
                status=outcome.status,
                bytes=outcome.size,
                events=outcome.events,
                micros=(now.monotonic_ns - call.begun.monotonic_ns) // 1000,
                upstream_micros=outcome.upstream_micros,
                unread=outcome.unread,
                withheld=outcome.withheld,
                detail=outcome.detail,
                removed_instructions="" if removed is None else removed.sha256,
                request_id=call.inbound.correlation.request_id,
                hidden=outcome.hidden,
                result=outcome.recorded(),
            )
        )

    def _note_drift(self, call: Call, refusal: Refusal) -> None:
        question = call.question
        if question.definition is not None and refused_for_drift([reason.requirement for reason in refusal.reasons]):
            words: Mapping[str, Any] = call.presented.words if call.presented is not None else {}
            server, revision = call.inbound.server, _revision(call)
            self._meters.drifted(
                refused_target(server, question.target, question.definition, revision=revision, words=words)
            )

    def _count(self, settled: Settled) -> None:
        answer = settled.call.answer
        now = self._pipeline.engine.parts.clock.now()
        reasons = settled.refusal.reasons if settled.refusal else ()
        known = isinstance(answer, Verdict) and answer.decision.resolved.server is not None
        if settled.call.question.arguments_meta.unchecked:
            self._meters.unchecked(settled.call.inbound.server if known else "")
        if settled.refusal is not None:
            self._note_drift(settled.call, settled.refusal)
            said = reasons[0].message if reasons else ""
            self._meters.refused(settled.refusal.code, detail=said, server=settled.call.inbound.server if known else "")
        self._meters.decided(
            server=settled.call.inbound.server if known else "",
            outcome="deny" if settled.refusal else "allow",
            requirement=reasons[0].requirement if reasons else "",
            policy_micros=answer.micros if isinstance(answer, Verdict) else 0,
            added_micros=(now.monotonic_ns - settled.call.begun.monotonic_ns) // 1000,
        )


def _revision(call: Call) -> str:
    """Return the revision of the policy that judged a call, or the empty text if none did."""
    return call.answer.revision if isinstance(call.answer, Verdict) else ""


def _ends_with_client(call: Call) -> bool:
    """Return whether the exchange ends when its client disconnects: always, except for a legacy POST."""
    return call.inbound.era == "modern" or call.inbound.verb == "GET"


def _nothing() -> None:
    """Do nothing when a legacy client disconnects. The relay notices it and drains."""
