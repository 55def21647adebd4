"""Relay of an upstream's reply to the client.

Rule 1: the pipeline settles every message in a reply before the client gets a byte of it.
Rule 2: memory is limited to one event, or one JSON body up to the limit. The client's pace sets the upstream's.
Rule 3: an upstream's 401, 403, 5xx and its challenges never reach the client (DESIGN section 7). Of their bodies, only
the JSON-RPC error that answers the request is shown.
Rule 4: the reply to a message without an id is its status. Its body has no meaning for the client and is dropped.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final

from gateway.admission.action import Answer
from gateway.admission.refusal import Refusal, answer, own
from gateway.pipeline import Pipeline
from gateway.pipeline.call import Call
from gateway.pipeline.loop_turns import budget_of
from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.protocol import sse
from gateway.protocol.errors import error_body, failure_of
from gateway.server import upstream_errors
from gateway.server.asgi_exchange import AsgiExchange
from gateway.server.passthrough import Passthrough, must_be_read
from gateway.server.recipient import Recipient, RelayLimits
from gateway.server.relay_events import STREAM, EventStream
from gateway.server.relay_json import ERROR, JsonAnswer
from gateway.server.sessions import answered_headers, carried_headers

__all__ = ["Relay", "RelayLimits"]

_ACCEPTED: Final = 202
_NO_STREAM: Final = 405
_JSON: Final = (("content-type", "application/json"),)


class Relay:
    """Relay of one reply, created for each exchange."""

    def __init__(self, pipeline: Pipeline, edge: AsgiExchange, call: Call, limits: RelayLimits) -> None:
        """Take the client's side and the admitted call."""
        self._to: Final = Recipient(pipeline, edge, call, limits)
        self._edge: Final = edge
        self._call: Final = call
        self.outcome: Final = self._to.outcome
        """The result of the exchange so far."""
        self._unread: Passthrough | None = None
        """The relay of large events of a stream."""
        self._relayed: EventStream | JsonAnswer | None = None
        self._complete = False

    @property
    def answered(self) -> bool:
        """Return whether the client has the response to its request."""
        return self._relayed is not None and self._relayed.answered

    async def head(self, sending: Awaitable[Reply | UpstreamFailure]) -> Reply | UpstreamFailure:
        """Wait for the head of a stream that a client opens. If it is late, send the gateway's own head.

        Some servers send the head of a stream only with its first event, which may be hours later.
        """
        reply, patience_s = asyncio.ensure_future(sending), self._to.limits.head_s
        try:
            while not (await asyncio.wait({reply}, timeout=patience_s))[0]:
                await self._edge.start(200, STREAM)
                await self._edge.write(sse.comment(), more=True)
                patience_s = self._to.limits.keep_alive_s
        except asyncio.CancelledError:
            reply.cancel()
            await asyncio.wait({reply})
            late = None if reply.cancelled() or reply.exception() else reply.result()
            if late is not None and not isinstance(late, UpstreamFailure):
                await late.close(drain=False)
            raise
        return reply.result()

    @property
    def midway(self) -> bool:
        """Return whether the client has only a part of an event."""
        return self._unread is not None and self._unread.under_way

    async def run(self, reply: Reply) -> None:
        """Relay the reply to its end."""
        self.outcome.status = reply.status
        inbound = self._call.inbound
        if inbound.verb == "GET":
            failure = await self._opened(reply)
        elif inbound.request_id is None:
            failure = await self._accepted(reply)
        else:
            failure = await self._answer(reply)
        if failure is not None:
            await self.fail(failure)

    async def close(self, reply: Reply, *, drain: bool) -> None:
        """End the exchange with the upstream. Data after a complete answer is read, within limits, and dropped."""
        if self._complete:
            await reply.finish()
        else:
            await reply.close(drain=drain)

    async def fail(self, failure: UpstreamFailure) -> None:
        """Answer that the upstream gave no usable answer."""
        self.outcome.failed(failure)
        remedy = upstream_errors.remedy(failure, must_be_read=must_be_read(self._call))
        await self._refuse(own(failure.code, failure.detail, remedy, stage=failure.stage))

    async def stop(self, refusal: Refusal) -> None:
        """Answer a call that policy ended. A call that already has its answer gets no second one."""
        if self.answered and not self.midway:
            await self._edge.write(b"", more=False)
        elif self._edge.started and self.outcome.unread:
            self._edge.abort()
        else:
            await self._refuse(refusal)

    async def _refuse(self, refusal: Refusal) -> None:
        action = answer(refusal, self._call.inbound, self._to.pipeline.engine.parts.wording)
        if self.midway or (self._edge.started and self.outcome.unread):
            self._edge.abort()
        elif self._edge.started:
            told = action.body if isinstance(action, Answer) and self._to.answers_one else b""
            await self._edge.write(sse.encode(sse.SseEvent(data=told)) if told else b"", more=False)
        elif isinstance(action, Answer):
            await self._edge.respond(action.status, action.headers, action.body)
        else:
            code, said = failure_of(refusal.code).code, refusal.reasons[0].message
            await self._edge.respond(502, _JSON, error_body(None, code, said))

    async def _accepted(self, reply: Reply) -> UpstreamFailure | None:
        """Relay whether the server accepted a message without an id."""
        self._complete = True
        if reply.status in upstream_errors.REFUSED:
            return upstream_errors.unwilling(reply)
        headers = answered_headers(self._to.pipeline, self._call, reply, b"")
        deletes = self._call.inbound.verb == "DELETE"
        status = _ACCEPTED if reply.status < ERROR and not deletes else reply.status
        await self._edge.respond(status, headers, b"")
        return None

    async def _opened(self, reply: Reply) -> UpstreamFailure | None:
        """Relay the stream that a client opened. Any other reply means that the server has no stream."""
        if reply.media == "sse" and reply.status < ERROR:
            return await self._stream(reply).run()
        self._complete = True
        if self._edge.started:
            await self._edge.write(b"", more=False)
        elif reply.status < ERROR:
            self.outcome.detail = "the server does not open a stream"
            await self._edge.respond(_NO_STREAM, (("allow", "POST"),), b"")
        elif reply.status in upstream_errors.REFUSED or reply.status >= upstream_errors.SERVER_ERROR:
            return upstream_errors.unwilling(reply)
        else:
            await self._edge.respond(reply.status, carried_headers(reply), b"")
        return None

    def _stream(self, reply: Reply) -> EventStream:
        self._unread = Passthrough(self._edge, self._call, self.outcome)
        return EventStream(self._to, reply, self._unread, budget_of(self._call.inbound))

    async def _answer(self, reply: Reply) -> UpstreamFailure | None:
        """Relay the response to a request."""
        if reply.media == "json" or (reply.media == "sse" and reply.status < ERROR):
            self._relayed = JsonAnswer(self._to, reply) if reply.media == "json" else self._stream(reply)
            failure = await self._relayed.run()
            self._complete = self.answered
            return failure
        if reply.status in upstream_errors.REFUSED or reply.status >= upstream_errors.SERVER_ERROR:
            return upstream_errors.unwilling(reply)
        if reply.status >= ERROR:
            self._complete = True
            await self._edge.respond(reply.status, carried_headers(reply), b"")
            return None
        return {"empty": upstream_errors.EMPTY, "charset": upstream_errors.CHARSET}.get(
            reply.media, upstream_errors.UNREADABLE
        )
