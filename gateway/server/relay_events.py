"""Relay of an upstream's server-sent events to the client, one by one.

Rule 1: the response to the request is the last event for the client. Later events of the server are dropped.
Rule 2: an event that is not a message for this client is withheld and counted. It is never answered.
Rule 3: no stream blocks the event loop, and each has limits on events, on withheld events and on growth.
Rule 4: comments are replaced by the gateway's own. Of several events without data, only the last id is sent: before the
next event with data, or when the server pauses.
"""

import asyncio
from contextlib import aclosing
from typing import Final, assert_never

from msgspec.structs import replace

from gateway.admission.action import Answer, Forward, Withhold
from gateway.pipeline.loop_turns import TurnBudget
from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.pipeline.sealed_ids import sealed_event_id
from gateway.protocol import sse
from gateway.protocol.oversized_event import Piece
from gateway.server import upstream_errors
from gateway.server.passthrough import Passthrough
from gateway.server.recipient import GROWTH_FREE, Recipient
from gateway.server.sessions import answered_headers
from gateway.server.stream_pacing import paced

STREAM: Final = (
    ("content-type", "text/event-stream"),
    ("cache-control", "private, no-store, no-cache, no-transform"),
    ("x-accel-buffering", "no"),
)
_MESSAGE: Final = frozenset({None, "", "message"})
"""Types of events that clients read. They ignore all others."""


class EventStream:
    """Relay of one stream, created for each reply."""

    def __init__(self, recipient: Recipient, reply: Reply, unread: Passthrough, budget: TurnBudget) -> None:
        """Take the client, the reply with the head of a stream, and the budget of the exchange."""
        self._to: Final = recipient
        self._reply: Final = reply
        self._unread: Final = unread
        self._budget: Final = budget
        self._reader = sse.SseReader(recipient.limits.result_bytes)
        self._held = b""
        self._empty: sse.SseEvent | None = None
        self._resumable = False
        self._read = self._events = self._written = 0
        self._last_write = asyncio.get_running_loop().time()
        self.answered = False
        """True if the client has the response."""

    async def run(self) -> UpstreamFailure | None:
        """Relay the stream to the response, or to its end. Return why the client gets no response."""
        if self._to.call.inbound.method.name != "initialize":
            await self._begin(b"")
        async with aclosing(paced(self._reply, self._patience_s, self._keep_alive)) as chunks:
            async for chunk in chunks:
                self._budget.renew()
                failure = chunk if isinstance(chunk, UpstreamFailure) else await self._chunk(chunk)
                if failure is not None:
                    return failure
                if self._over:
                    await self._closed()
                    return None
        return await self._ended()

    @property
    def _over(self) -> bool:
        return self._to.edge.gone or (self.answered and self._to.answers_one)

    async def _chunk(self, chunk: bytes) -> UpstreamFailure | None:
        """Relay the content of a chunk. Return why the exchange cannot continue."""
        self._read += len(chunk)
        if self._unread.under_way:
            return await self._passed(await self._unread.feed(chunk))
        self._reader.take(chunk)
        while not self._over and (step := self._reader.step()) is not None:
            if isinstance(step, sse.SseEventTooLarge):
                return await self._too_large()
            if isinstance(step, sse.SseEvent):
                await self._event(step)
                if (failure := self._excess()) is not None:
                    return failure
            await self._budget.pause()
        if not self._over:
            await self._flush()
        return None

    def _excess(self) -> UpstreamFailure | None:
        """Return the failure if the stream exceeds a limit. A stream to listen to may continue forever."""
        limits, withheld = self._to.limits, self._to.outcome.withheld
        if len(self._held) > limits.result_bytes:
            return upstream_errors.BURIED
        if self._written > GROWTH_FREE + self._read * limits.growth:
            return upstream_errors.too_much("ids of events without data")
        if self._to.call.inbound.method.asked == "stream" or self._over:
            return None
        if self._events > limits.events:
            return upstream_errors.too_much(f"more than {limits.events} events")
        if withheld > limits.withheld:
            return upstream_errors.too_much(
                f"more than {limits.withheld} events that are not messages for this request"
            )
        return None

    async def _too_large(self) -> UpstreamFailure | None:
        await self._flush()
        await self._budget.pause(self._to.limits.result_bytes)
        rest = self._reader.rest()
        begun = await self._unread.begin(rest, self._sealed(rest.head))
        return begun if isinstance(begun, UpstreamFailure) else await self._passed(begun)

    async def _passed(self, piece: Piece | None) -> UpstreamFailure | None:
        """Continue after a large event, which answers the request. If its form was broken, it was already aborted."""
        if piece is None or not piece.ended:
            return None
        self.answered, self._reader = True, sse.SseReader(self._to.limits.result_bytes)
        return None if self._over else await self._chunk(piece.after)

    def _patience_s(self) -> float:
        """Return the time in seconds until the client needs the next bytes."""
        quiet_s = asyncio.get_running_loop().time() - self._last_write
        return max(self._to.limits.keep_alive_s - quiet_s, 0.01)

    async def _keep_alive(self) -> None:
        """Write a comment if the client has received nothing for long enough."""
        now = asyncio.get_running_loop().time()
        if now - self._last_write < self._to.limits.keep_alive_s:
            return
        self._last_write = now
        if self._to.edge.started and not self._unread.under_way:
            await self._send(sse.comment())

    async def _event(self, event: sse.SseEvent) -> None:
        """Settle one event, and write the result to the client."""
        if event.comment is not None:
            await self._keep_alive()
            return
        self._events += 1
        if event.event not in _MESSAGE:
            self._to.outcome.withhold("the server sent an event of a type other than `message`")
            self._keep_id(event)
        elif not event.data:
            self._keep_id(event)
        else:
            await self._message(event, event.data)

    async def _message(self, event: sse.SseEvent, data: bytes) -> None:
        await self._budget.pause(len(data))
        self._to.outcome.message(data)
        action = await self._to.pipeline.settle(self._to.call, data)
        match action:
            case Answer() if action.final and self.answered:
                self._to.outcome.withhold("the server answered the request a second time")
                self._keep_id(event)
            case Answer():
                await self._to.told(action, action.body, self._budget)
                await self._deliver(event, action)
            case Withhold():
                if action.detail:
                    self._to.outcome.withhold(action.detail)
                self._keep_id(event)
            case Forward():
                self._keep_id(event)
                await self._budget.during(self._to.pipeline.running.posted(action))
            case _:
                assert_never(action)

    def _keep_id(self, event: sse.SseEvent) -> None:
        """Keep the id and the `retry` of an event whose data the client does not get."""
        if event.id is None and event.retry is None:
            return
        before = self._empty or sse.SseEvent()
        self._empty = sse.SseEvent(
            data=b"" if event.id is not None else before.data,
            id=before.id if event.id is None else event.id,
            retry=before.retry if event.retry is None else event.retry,
        )

    async def _flush(self) -> None:
        """Write the kept id and `retry`."""
        if self._empty is not None:
            event, self._empty = self._empty, None
            await self._write(sse.encode(replace(event, id=self._sealed(event))))

    async def _deliver(self, event: sse.SseEvent, action: Answer) -> None:
        """Write an event. For `initialize`, wait for the response first, because it names the revision."""
        await self._flush()
        if action.final and not self._to.edge.started:
            await self._begin(action.body)
            self._held, held = b"", self._held
            await self._send(held)
        last = action.final and self._to.answers_one
        await self._write(sse.encode(replace(event, id=self._sealed(event), data=action.body)), more=not last)
        self.answered = self.answered or action.final

    async def _write(self, written: bytes, *, more: bool = True) -> None:
        if self._to.edge.started:
            await self._send(written, more=more)
        else:
            self._held += written

    async def _send(self, written: bytes, *, more: bool = True) -> None:
        if written:
            self._last_write = asyncio.get_running_loop().time()
            self._written += len(written)
            await self._budget.during(self._to.edge.write(written, more=more))

    async def _begin(self, body: bytes) -> None:
        headers = answered_headers(self._to.pipeline, self._to.call, self._reply, body)
        await self._to.edge.start(self._reply.status, (*headers, *STREAM))

    def _sealed(self, event: sse.SseEvent) -> str | None:
        if event.id is None:
            return None
        self._resumable = self._to.call.inbound.era == "legacy"
        parts = self._to.pipeline.engine.parts
        return sealed_event_id(parts.ring, self._to.call, event.id, parts.ids.nonce())

    async def _closed(self) -> None:
        """End the client's stream, unless it ended with the response."""
        await self._to.edge.write(b"", more=False)

    async def _ended(self) -> UpstreamFailure | None:
        """End the client's stream like the upstream's. Without a response, do so only if the stream can be resumed."""
        open_stream = self._to.edge.started and not self._unread.under_way
        if open_stream and (self._resumable or not self._to.answers_one):
            await self._closed()
            return None
        return upstream_errors.unfinished(self._to.outcome)
