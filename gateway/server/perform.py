"""The one place where actions are performed: a message is forwarded, answered or withheld.

Rule 1: a forward is sent only while its client is still there, and never twice.
Rule 2: every forward ends with its `completed` record, whatever became of it.
Rule 3: a modern client that goes away closes its upstream at once; a legacy one has it drained, within bounds. A
standing stream answers nothing: it is closed at once in both eras, so that its server lets the client open another.
Rule 4: a stream ends with the credential that opened it, whatever policy says by then.
"""

import asyncio
from typing import Final, assert_never

from gateway.admission.action import Answer, Forward, Withhold
from gateway.admission.decision import Verdict
from gateway.admission.record import Completed
from gateway.admission.refusal import answer as refusal_answer
from gateway.admission.refusal import own
from gateway.pipeline import Pipeline
from gateway.pipeline.call import Call, Settled
from gateway.pipeline.ports import UpstreamFailure
from gateway.server.closing import break_off, close_stream
from gateway.server.edge import Edge
from gateway.server.outcome import Outcome
from gateway.server.ports import Callers, Meters
from gateway.server.relay import Relay, RelayLimits
from gateway.server.streams import Streams
from gateway.server.unverified import unverified_answer

_ACCEPTED: Final = 202
_LONGEST_S: Final = 30 * 86_400.0
"""No timer is set for longer; a stream that outlives it is closed then."""


class Performer:
    """Performs settled messages of clients."""

    def __init__(
        self, pipeline: Pipeline, streams: Streams, meters: Meters, callers: Callers, limits: RelayLimits
    ) -> None:
        """Take the parts that the endpoint was given."""
        self._pipeline: Final = pipeline
        self._streams: Final = streams
        self._meters: Final = meters
        self._callers: Final = callers
        self._limits: Final = limits

    async def perform(self, edge: Edge, settled: Settled) -> None:
        """Do what was settled."""
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

    async def _unauthenticated(self, edge: Edge, settled: Settled) -> None:
        inbound = settled.call.inbound
        caller = self._callers.unknown(inbound.server, source_ip=inbound.source_ip)
        answer = unverified_answer(caller, inbound.request_id)
        await edge.respond(answer.status, answer.headers, answer.body)

    async def _forward(self, edge: Edge, call: Call, forward: Forward) -> None:
        relay = Relay(self._pipeline, edge, call, self._limits)
        task = asyncio.current_task()
        stopped = _Stop(task)
        if _ends_with_client(call):
            edge.watch(stopped)
        else:
            edge.watch(_nothing)
        try:
            if call.inbound.method.asked != "stream":
                await asyncio.sleep(0)  # noqa: TID251 - lets the watch see a client that left during the decision
            if not edge.gone:
                await self._exchanged(edge, call, forward, relay, stopped)
        except asyncio.CancelledError:
            if task is not None:
                task.uncancel()
            await _closed(edge, call, relay, stopped)
        finally:
            if edge.gone and relay.outcome.code == "answered":
                relay.outcome.code = "client_gone"
            relay.outcome.detail = stopped.detail or relay.outcome.detail
            self._complete(call, relay.outcome, stopped.reason)

    async def _exchanged(self, edge: Edge, call: Call, forward: Forward, relay: Relay, stopped: "_Stop") -> None:
        stream = None
        if call.inbound.method.asked == "stream":
            stream = self._streams.begin(call, stopped.close)
            if stream is None:
                refusal = own("rate_limited", "too many streams are open", "Close a stream first.")
                await self._answer(edge, refusal_answer(refusal, call.inbound, self._pipeline.engine.parts.wording))
                relay.outcome.code = "rate_limited"
                return
            self._meters.streams(len(self._streams))
        ending = _ending(call, stopped) if stream is not None else None
        try:
            await self._sent(forward, relay, call, edge)
        finally:
            if ending is not None:
                ending.cancel()
            if stream is not None:
                self._streams.end(stream)
                self._meters.streams(len(self._streams))

    async def _sent(self, forward: Forward, relay: Relay, call: Call, edge: Edge) -> None:
        parts = self._pipeline.engine.parts
        sent_ns = parts.clock.now().monotonic_ns
        reply = await parts.upstream.send(forward)
        relay.outcome.upstream_micros = (parts.clock.now().monotonic_ns - sent_ns) // 1000
        if isinstance(reply, UpstreamFailure):
            await relay.fail(reply)
            return
        if reply.media == "sse" and not _ends_with_client(call):
            edge.watch(_nothing)
        try:
            await relay.run(reply)
        finally:
            await reply.close(drain=edge.gone and not _ends_with_client(call))

    async def _answer(self, edge: Edge, answer: Answer | Withhold) -> None:
        if isinstance(answer, Answer):
            await edge.respond(answer.status, answer.headers, answer.body)
        else:
            await edge.respond(_ACCEPTED, (), b"")

    def _complete(self, call: Call, outcome: Outcome, closed: str) -> None:
        parts = self._pipeline.engine.parts
        now = parts.clock.now()
        self._meters.upstream(closed or outcome.code)
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
                detail=outcome.detail,
            )
        )

    def _count(self, settled: Settled) -> None:
        answer = settled.call.answer
        now = self._pipeline.engine.parts.clock.now()
        reasons = settled.refusal.reasons if settled.refusal else ()
        known = isinstance(answer, Verdict) and answer.decision.resolved.server is not None
        self._meters.decided(
            server=settled.call.inbound.server if known else "",
            outcome="deny" if settled.refusal else "allow",
            requirement=reasons[0].requirement if reasons else "",
            policy_micros=answer.micros if isinstance(answer, Verdict) else 0,
            added_micros=(now.monotonic_ns - settled.call.begun.monotonic_ns) // 1000,
        )


async def _closed(edge: Edge, call: Call, relay: Relay, stopped: "_Stop") -> None:
    """End the client's answer; a client that left needs none."""
    if stopped.reason == "closed":
        await close_stream(edge, call, relay)
    elif not stopped.reason:  # the worker ends
        await break_off(edge, relay)
    edge.abort()


class _Stop:
    """Ends an exchange from outside: its client went away, the policy refuses its stream now, its credential ended."""

    def __init__(self, task: asyncio.Task[None] | None) -> None:
        self._task: Final = task
        self.reason = ""
        self.detail = ""

    def __call__(self) -> None:
        """The client went away."""
        self._end("client_gone")

    def close(self) -> None:
        """The policy closes the stream."""
        self._end("closed")

    def expire(self) -> None:
        """The credential has ended."""
        if not self.reason:
            self.detail = "the credential expired"
        self._end("closed")

    def _end(self, reason: str) -> None:
        if not self.reason and self._task is not None:
            self.reason = reason
            self._task.cancel()


def _ending(call: Call, stopped: _Stop) -> asyncio.TimerHandle | None:
    """Return what ends a stream when its credential does; null where only the bundle knows when that is."""
    until = call.inbound.until
    if until is None:
        return None
    left_s = until - call.begun.unix_ns / 1e9
    return asyncio.get_running_loop().call_later(min(max(left_s, 0), _LONGEST_S), stopped.expire)


def _ends_with_client(call: Call) -> bool:
    """Return whether the exchange ends when its client goes away: true but for a legacy POST, which runs on."""
    return call.inbound.era == "modern" or call.inbound.verb == "GET"


def _nothing() -> None:
    """A legacy client that goes away cancels nothing; the relay sees it and drains."""
