"""A reply read to its end: the one response in it, whatever the medium.

Rule 1: at most `limit` bytes are read, and the reply is closed whatever happens.
"""

from typing import Final

from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.protocol.message import Response
from gateway.protocol.reply_ids import alike, read_body
from gateway.protocol.sse import Event, Reader

_REFUSED: Final = 403
_FORBIDDEN: Final = UpstreamFailure(
    code="upstream_unavailable", detail="the server refuses the gateway's credential for this request"
)


async def response_of(reply: Reply, request_id: str | int, limit: int) -> Response | UpstreamFailure:
    """Return the response to `request_id`; other messages on the stream are not for anyone here."""
    try:
        if reply.media == "json":
            body = await reply.read(limit)
            answer = body if isinstance(body, UpstreamFailure) else _answering(body, request_id)
            return _FORBIDDEN if reply.status == _REFUSED and isinstance(answer, UpstreamFailure) else answer
        if reply.media == "sse":
            return await _streamed(reply, request_id, limit)
        return UpstreamFailure(
            code="upstream_broken", detail=f"HTTP {reply.status} without an MCP message", stage="failed"
        )
    finally:
        await reply.close(drain=False)


def _answering(body: bytes, request_id: str | int) -> Response | UpstreamFailure:
    message = read_body(body)
    if isinstance(message, Response) and alike(message.id, request_id):
        return message
    return UpstreamFailure(code="upstream_broken", detail="the server's answer is not a response to the request")


async def _streamed(reply: Reply, request_id: str | int, limit: int) -> Response | UpstreamFailure:
    reader = Reader(limit)
    async for chunk in reply.chunks():
        if isinstance(chunk, UpstreamFailure):
            return chunk
        for event in reader.feed(chunk):
            if not isinstance(event, Event):
                return UpstreamFailure(code="result_too_large", detail=f"an event is larger than {limit} bytes")
            answer = _answering(event.data or b"", request_id)
            if isinstance(answer, Response):
                return answer
    return UpstreamFailure(code="upstream_broken", detail="the server ended the stream without a response")
