"""An upstream's reply on its way to the client: JSON whole, server-sent events one by one.

Rule 1: every message in a reply is settled by the pipeline before the client sees a byte of it.
Rule 2: memory is bounded: one event, or one JSON body up to the limit; the client's pace sets the upstream's.
Rule 3: an upstream's 401, 403, 5xx and its challenges are ours to put in words; they never travel (DESIGN section 7).
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.action import Action, Answer, Forward, Withhold
from gateway.admission.refusal import JSON, answer, own
from gateway.pipeline import Pipeline
from gateway.pipeline.call import Call
from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.pipeline.sealed import sealed_event_id
from gateway.protocol import sse
from gateway.protocol.sse_passing import Piece
from gateway.server import failing
from gateway.server.edge import Edge
from gateway.server.outcome import Outcome
from gateway.server.sessions import answered_headers, carried_headers
from gateway.server.unread import Unread

STREAM: Final = (
    ("content-type", "text/event-stream"),
    ("cache-control", "private, no-store, no-cache, no-transform"),
    ("x-accel-buffering", "no"),
)
_ERROR: Final = 400


class RelayLimits(Struct, frozen=True, kw_only=True):
    """`result_bytes`: a result that is read; `keep_alive_s`: silence on a stream before a comment is sent."""

    result_bytes: int
    keep_alive_s: float


class Relay:
    """Relays one reply; made for each exchange."""

    def __init__(self, pipeline: Pipeline, edge: Edge, call: Call, limits: RelayLimits) -> None:
        """Take the client's side and the call that was admitted."""
        self._pipeline: Final = pipeline
        self._edge: Final = edge
        self._call: Final = call
        self._limits: Final = limits
        self.outcome: Final = Outcome()
        self._unread: Final = Unread(edge, call, self.outcome)
        self._reader = sse.Reader(limits.result_bytes)
        self._held = b""
        self._answered = False
        self._resumable = False

    @property
    def midway(self) -> bool:
        """Whether the client has a part of an event."""
        return self._unread.under_way

    async def run(self, reply: Reply) -> None:
        """Relay the reply to its end."""
        self.outcome.status = reply.status
        if reply.status in failing.REFUSED or reply.status >= failing.SERVER_ERROR:
            await self.fail(failing.unwilling(reply))
        elif reply.media == "json":
            await self._json(reply)
        elif reply.media == "sse" and reply.status < _ERROR:
            await self._events(reply)
        elif reply.media == "empty" or reply.status >= _ERROR:
            await self._bare(reply)
        else:
            await self.fail(failing.UNREADABLE)

    async def fail(self, failure: UpstreamFailure) -> None:
        """Tell the client that the upstream gave no usable answer."""
        self.outcome.failed(failure)
        refusal = own(failure.code, failure.detail, failing.REMEDIES[failure.code])
        action = answer(refusal, self._call.inbound, self._pipeline.engine.parts.wording)
        if self._unread.under_way:
            self._unread.break_off()
        elif self._edge.started:
            written = sse.encode(sse.Event(data=action.body)) if isinstance(action, Answer) else b""
            await self._edge.write(written, more=False)
        elif isinstance(action, Answer):
            await self._edge.respond(action.status, action.headers, action.body)
        else:
            await self._edge.respond(502, JSON, b"")

    async def _json(self, reply: Reply) -> None:
        body = await reply.read(self._limits.result_bytes)
        if isinstance(body, UpstreamFailure):
            await self._oversize(reply, body)
            return
        if reply.status >= _ERROR:
            await self._edge.respond(reply.status, (*carried_headers(reply), *JSON), failing.error_only(body))
            return
        action = await self._pipeline.settle(self._call, body)
        self.outcome.message(body)
        await self._deliver_json(reply, body, action)

    async def _deliver_json(self, reply: Reply, body: bytes, action: Action) -> None:
        """Answer with a response or a refusal; a body that is another message answers nothing."""
        if not isinstance(action, Answer) or not (action.code or failing.answers(body)):
            await self.fail(failing.UNANSWERED)
            return
        self.outcome.told(action.code)
        headers = answered_headers(self._pipeline, self._call, reply, body)
        await self._edge.respond(action.status, (*headers, *JSON), action.body)

    async def _oversize(self, reply: Reply, failure: UpstreamFailure) -> None:
        """Relay a large result unread where it may be, or say why not."""
        refused = await self._unread.body(reply, failure) if failure.code == "result_too_large" else failure
        if refused is not None:
            await self.fail(refused)

    async def _bare(self, reply: Reply) -> None:
        """Pass on a status without a message; the body of an error that is not JSON is not ours to show."""
        await self._edge.respond(reply.status, carried_headers(reply), b"")

    async def _events(self, reply: Reply) -> None:
        if self._call.inbound.method.name != "initialize":
            await self._begin(reply, b"")
        async for chunk in self._paced(reply):
            if isinstance(chunk, UpstreamFailure):
                await self.fail(chunk)
                return
            if not await self._chunk(reply, chunk) or self._edge.gone:
                return
        await self._ended()

    async def _chunk(self, reply: Reply, chunk: bytes) -> bool:
        """Relay what a chunk brings; false where the exchange is over with it."""
        if self._unread.under_way:
            return await self._passed(reply, await self._unread.feed(chunk))
        for event in self._reader.feed(chunk):
            if isinstance(event, sse.TooLarge):
                return await self._too_large(reply)
            await self._event(reply, event)
        return True

    async def _too_large(self, reply: Reply) -> bool:
        rest = self._reader.rest()
        begun = await self._unread.begin(rest, self._sealed(rest.head))
        if isinstance(begun, UpstreamFailure):
            await self.fail(begun)
            return False
        return await self._passed(reply, begun)

    async def _passed(self, reply: Reply, piece: Piece | None) -> bool:
        """Go on reading after a large event, which answers the request."""
        if piece is None or not piece.ended:
            return piece is not None
        self._answered, self._reader = True, sse.Reader(self._limits.result_bytes)
        return await self._chunk(reply, piece.after)

    async def _paced(self, reply: Reply) -> AsyncIterator[bytes | UpstreamFailure]:
        """Yield the reply's chunks; while there are none, keep the client's stream alive with comments."""
        chunks = aiter(reply.chunks())
        waiting: asyncio.Future[bytes | UpstreamFailure] | None = None
        try:
            while True:
                waiting = waiting or asyncio.ensure_future(anext(chunks))
                done, _ = await asyncio.wait({waiting}, timeout=self._limits.keep_alive_s)
                if not done:
                    await self._keep_alive()
                    continue
                chunk, waiting = waiting.result(), None
                yield chunk
        except StopAsyncIteration:
            return
        finally:
            if waiting is not None:
                waiting.cancel()

    async def _keep_alive(self) -> None:
        if self._edge.started and not self._unread.under_way:
            await self._edge.write(sse.comment(), more=True)

    async def _event(self, reply: Reply, event: sse.Event) -> None:
        """Settle one event and write what the client gets of it."""
        if event.comment is not None:
            await self._keep_alive()
            return
        if not event.data:
            await self._write(reply, b"", replace(event, id=self._sealed(event)))
            return
        self.outcome.message(event.data)
        action = await self._pipeline.settle(self._call, event.data)
        match action:
            case Answer():
                self.outcome.told(action.code)
                self._answered = self._answered or failing.responds(event.data)
                await self._write(reply, event.data, replace(event, id=self._sealed(event), data=action.body))
            case Withhold():
                await self._write(reply, b"", replace(event, id=self._sealed(event), data=b"", event=None))
            case Forward():
                await self._refuse_upstream(action)
            case _:
                assert_never(action)

    async def _write(self, reply: Reply, data: bytes, event: sse.Event) -> None:
        """Write an event; of `initialize` nothing goes out before its response is known, which names the revision."""
        written = sse.encode(event) if event.id or event.data or event.retry is not None else b""
        if not self._edge.started:
            self._held += written
            if not failing.responds(data):
                await self._bounded()
                return
            await self._begin(reply, data)
            written = self._held
        if written:
            await self._edge.write(written, more=True)

    async def _bounded(self) -> None:
        if len(self._held) > self._limits.result_bytes:
            await self.fail(UpstreamFailure(code="result_too_large", detail="too much came before the answer"))
            self._edge.abort()

    async def _begin(self, reply: Reply, data: bytes) -> None:
        headers = answered_headers(self._pipeline, self._call, reply, data)
        await self._edge.start(reply.status, (*headers, *STREAM))

    def _sealed(self, event: sse.Event) -> str | None:
        if event.id is None:
            return None
        self._resumable = self._call.inbound.era == "legacy"
        parts = self._pipeline.engine.parts
        return sealed_event_id(parts.ring, self._call, event.id, parts.ids.nonce())

    async def _refuse_upstream(self, forward: Forward) -> None:
        """Answer a server's refused request ourselves; what the server says to that is of no interest."""
        reply = await self._pipeline.engine.parts.upstream.send(forward)
        if not isinstance(reply, UpstreamFailure):
            await reply.close(drain=False)

    async def _ended(self) -> None:
        """End the client's stream as the upstream ended its own; without a response only where it can be resumed."""
        inbound = self._call.inbound
        over = self._edge.started and not self._unread.under_way
        if over and (self._answered or self._resumable or inbound.request_id is None):
            await self._edge.write(b"", more=False)
        else:
            await self.fail(failing.UNFINISHED)
