"""Reading of a whole reply, to find the one response in it. It may be JSON or an event stream.

Rule 1: at most `limit` bytes are read, and the reply is closed in every case.
Rule 2: reading takes turns with other exchanges. No chunk blocks the event loop, however many events it contains.
Rule 3: everything before the response is skipped, such as comments, notifications and unknown data.
"""

from collections.abc import Callable

from gateway.pipeline.loop_turns import TurnBudget
from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.protocol.message import Notification, Response, read_reply
from gateway.protocol.reply_ids import alike, read_body
from gateway.protocol.sse import SseEvent, SseEventTooLarge, SseReader

Noticed = Callable[[Notification], None]
"""Receive a notification that arrives before the response."""


class WholeReply:
    """Reader of one reply within a limit. It counts the bytes that it reads."""

    def __init__(
        self, reply: Reply, request_id: str | int, *, limit: int, noticed: Noticed, budget: TurnBudget
    ) -> None:
        """Take the reply, the id of the request, the maximum bytes to read, and the budget of the exchange."""
        self._reply = reply
        self._request_id = request_id
        self._limit = limit
        self._noticed = noticed
        self._budget = budget
        self.size = 0
        """Number of bytes read."""

    async def response(self) -> Response | UpstreamFailure:
        """Return the response to the request."""
        reply = self._reply
        try:
            if reply.media == "json":
                body = await reply.read(self._limit)
                if isinstance(body, UpstreamFailure):
                    return body
                self.size = len(body)
                self._budget.renew()
                await self._budget.pause(self.size)
                answer = self._answering(body, whole=True)
                await self._budget.pause()
                return answer or _UNANSWERED
            if reply.media == "sse":
                return await self._streamed()
            return UpstreamFailure(code="upstream_broken", detail=f"HTTP {reply.status} without an MCP message")
        finally:
            await reply.close(drain=False)

    async def _streamed(self) -> Response | UpstreamFailure:
        reader = SseReader(self._limit)
        async for chunk in self._reply.chunks():
            if isinstance(chunk, UpstreamFailure):
                return chunk
            self.size += len(chunk)
            self._budget.renew()
            reader.take(chunk)
            while (step := reader.step()) is not None:
                if isinstance(step, SseEventTooLarge):
                    return self._too_large()
                data = step.data if isinstance(step, SseEvent) else None
                await self._budget.pause(len(data or b""))
                answer = self._answering(data, whole=False) if data else None
                if answer is not None:
                    return answer
            if self.size > self._limit:
                return self._too_large()
        return UpstreamFailure(code="upstream_broken", detail="the server ended the stream without a response")

    def _answering(self, body: bytes, *, whole: bool) -> Response | None:
        """Return the response in a message. An error without an id counts if it is alone in its reply."""
        message = read_body(body) if whole else read_reply(body)
        if isinstance(message, Notification):
            self._noticed(message)
        if not isinstance(message, Response):
            return None
        unnamed = whole and message.id is None and message.error is not None
        return message if unnamed or alike(message.id, self._request_id) else None

    def _too_large(self) -> UpstreamFailure:
        return UpstreamFailure(code="result_too_large", detail=f"the server's answer exceeds {self._limit} bytes")


_UNANSWERED = UpstreamFailure(code="upstream_broken", detail="the server's answer is not a response to the request")
