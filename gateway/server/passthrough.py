"""Relay of results that are larger than the gateway reads, if the route permits it.

Rule 1: only a result of the open request passes unread, and nothing else that a reader could take for another kind of
message. Lists and the results that begin a connection never pass unread, because they are filtered. Neither do results
that the catalog wants checked (`check_output`).
Rule 2: memory is limited, and the record says that the result was not read.
Rule 3: if the server stops in the middle, so does the client's answer. Nothing is appended that could look like its
end.
Rule 4: in the modern era a result can ask the client for something, which policy has to judge (`inputRequests`). If
that key appears anywhere in a result, the result is cut before the key is complete. In the legacy era a server asks in
separate messages, which are read.
Rule 5: shared caches must not keep it: HTTP caches get a header, and a plain public `cacheScope` is made private. A
limitation remains: `ttlMs` is the server's, unlike in results that are read, and a result without a scope gets none.
"""

from collections.abc import AsyncIterator
from typing import Final

from msgspec.structs import replace

from gateway.admission.listing import LISTS
from gateway.admission.refusal import JSON
from gateway.admission.result_type import UNREAD
from gateway.pipeline.call import Call
from gateway.pipeline.capabilities import CONNECTING
from gateway.pipeline.output_schema_check import is_checked
from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.protocol.cache_scope import PrivateScope
from gateway.protocol.input_requests import Watch
from gateway.protocol.oversized_event import Piece, SsePassthrough
from gateway.protocol.response_envelope import Envelope
from gateway.protocol.sse import Rest, fields
from gateway.server import upstream_errors
from gateway.server.asgi_exchange import AsgiExchange
from gateway.server.exchange_stats import ExchangeStats
from gateway.server.sessions import carried_headers

BEGINNING: Final = 4096
"""Bytes within which a result has to be recognized."""
_WINDOW: Final = 64 * 1024
"""Bytes checked at a time. The data of a reader may be a whole event, which must not be copied."""
UNSHARED: Final = (("cache-control", "private, no-store"),)
"""Headers of answers that may contain unread data."""
_FILTERED: Final = CONNECTING | LISTS.keys()
_BROKEN: Final = UpstreamFailure(code="upstream_broken", detail="the server stopped in the middle of a large result")
_ODD: Final = UpstreamFailure(code="upstream_broken", detail="the server's large result is not a single plain response")


class Passthrough:
    """Relay of one large result of an exchange."""

    def __init__(self, edge: AsgiExchange, call: Call, outcome: ExchangeStats) -> None:
        """Take the client's side, the call, and the statistics of the exchange."""
        self._edge: Final = edge
        self._call: Final = call
        self._outcome: Final = outcome
        self._passing: SsePassthrough | None = None
        self._envelope: Final = _envelope(call)
        self._watch: Final = Watch() if call.inbound.era == "modern" else None
        self._private: Final = (
            PrivateScope() if call.inbound.method.cacheable and call.inbound.era == "modern" else None
        )

    @property
    def under_way(self) -> bool:
        """Return whether the client has part of an event, so that nothing else may be written."""
        return self._passing is not None

    async def body(self, reply: Reply, refused: UpstreamFailure) -> UpstreamFailure | None:
        """Relay a JSON body to its end. If it may not pass, write nothing and return `refused` or a worse failure."""
        chunks = aiter(reply.chunks())
        held = await _beginning(chunks)
        if isinstance(held, UpstreamFailure):
            return held
        failure = self._fault(held)
        if self._envelope is None or failure is not None:
            return failure if failure is upstream_errors.ASKING else refused
        self._outcome.unread, self._outcome.result = True, UNREAD
        await self._edge.start(reply.status, (*carried_headers(reply), *JSON, *UNSHARED))
        await self._written(held)
        failure = await self._flow(chunks, self._envelope)
        if failure is not None:
            self.break_off(failure)
            return None
        await self._written(b"", last=True, more=False)
        return None

    async def _flow(self, chunks: AsyncIterator[bytes | UpstreamFailure], envelope: Envelope) -> UpstreamFailure | None:
        """Relay the rest of a body, and return why it did not reach its end; null if it did, or the client left."""
        async for chunk in chunks:
            if self._edge.gone:
                return None
            failure = chunk if isinstance(chunk, UpstreamFailure) else self._fault(chunk)
            if isinstance(chunk, UpstreamFailure) or failure is not None:
                return failure
            await self._written(chunk)
        return None if envelope.closed or self._edge.gone else _ODD

    async def begin(self, rest: Rest, event_id: str | None) -> Piece | UpstreamFailure:
        """Begin to relay an event. If it may not pass, write nothing and return the failure."""
        passing = SsePassthrough(rest)
        piece = passing.begin()
        if piece is None or not self._edge.started:
            return upstream_errors.TOO_LARGE
        failure = self._fault(piece.content, begins=len(b"data: "), last=piece.ended)
        if failure is not None:
            return upstream_errors.TOO_LARGE if failure is _ODD else failure
        self._outcome.unread, self._outcome.result = True, UNREAD
        self._outcome.events += 1
        self._passing = passing
        await self._edge.write(b"".join(line + b"\n" for line in fields(replace(rest.head, id=event_id))), more=True)
        return await self._passed(piece)

    async def feed(self, chunk: bytes) -> Piece | None:
        """Relay more of the event. Return null if it was aborted, because its form broke or it asks for something."""
        piece = self._passing.feed(chunk) if self._passing else None
        failure = _BROKEN if piece is None else self._fault(piece.content, last=piece.ended)
        if piece is None or failure is not None:
            self.break_off(failure)
            return None
        return await self._passed(piece)

    def break_off(self, failure: UpstreamFailure | None = None) -> None:
        """Abort the client's answer at the point that the server's answer has reached."""
        if failure is not None:
            self._outcome.failed(failure)
        self._edge.abort()

    def _asks(self, content: bytes) -> bool:
        return self._watch is not None and self._watch.sees(content)

    def _fault(self, content: bytes, *, begins: int = 0, last: bool = False) -> UpstreamFailure | None:
        """Return why the next content does not pass, or null if it does."""
        for start in range(begins, len(content), _WINDOW):
            window = content[start : start + _WINDOW]
            if self._envelope is None or not self._envelope.fits(window):
                return _ODD
            if self._asks(window):
                return upstream_errors.ASKING
        come = self._envelope is not None and (self._envelope.closed if last else self._envelope.begun)
        return None if come else _ODD

    async def _passed(self, piece: Piece) -> Piece:
        ends = (
            piece.ended and self._call.inbound.request_id is not None
        )  # the stream of a GET continues after the event
        await self._written(piece.data, last=piece.ended, more=not ends)
        if piece.ended:
            self._passing = None
        return piece

    async def _written(self, data: bytes, *, last: bool = False, more: bool = True) -> None:
        if self._private is not None:
            data = self._private.feed(data) + (self._private.rest() if last else b"")
        self._outcome.size += len(data)
        self._outcome.digest.add(data)
        if data or not more:
            await self._edge.write(data, more=more)


def must_be_read(call: Call) -> bool:
    """Return whether the gateway has to read the whole answer, even if the route permits large results."""
    resumes = call.inbound.resumes
    return (resumes.method if resumes else call.inbound.method.name) in _FILTERED or is_checked(call)


def _envelope(call: Call) -> Envelope | None:
    """Return the expected form of the answer, or null if none may pass unread."""
    resumes = call.inbound.resumes
    expected = resumes.request_id if resumes else call.inbound.request_id
    large = call.permit is not None and call.permit.route.large_results and not must_be_read(call)
    return Envelope(expected) if large and expected is not None else None


async def _beginning(chunks: AsyncIterator[bytes | UpstreamFailure]) -> bytes | UpstreamFailure:
    held = b""
    async for chunk in chunks:
        if isinstance(chunk, UpstreamFailure):
            return chunk
        held += chunk
        if len(held) >= BEGINNING:
            break
    return held
