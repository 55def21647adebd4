"""One connection to an upstream: the request is written in one piece, httptools parses the HTTP/1.1 reply.

Rule 1: a connection serves one exchange at a time. If bytes arrive that answer no request, it is closed.
Rule 2: heads, trailers and chunk extensions are limited. Framing that readers could read in different ways is refused
(llhttp itself is strict).
Rule 3: a connection may be used again only if its last exchange is finished: the request was sent, the reply is
complete, and nothing followed it.
Rule 4: a request that was not written at all is distinguished from one of which the server may have seen a byte.
"""

import asyncio
import select
from typing import Final, Protocol, cast

import httptools
from msgspec import Struct

from gateway.pipeline.ports import UpstreamFailure
from gateway.upstream.failures import CLOSED, CUT, GARBAGE, UNWRITTEN
from gateway.upstream.keepalive import Origin, Promise, promise
from gateway.upstream.reply_body import ReplyBody

HEAD_BYTES: Final = 64 * 1024
_OK: Final = 200
_BODILESS: Final = frozenset({204, 304})
_MOST_INFORMATIONAL: Final = 8
_NOTHING_PROMISED: Final = Promise()
_HALF_CLOSED: Final = getattr(select, "POLLRDHUP", 0)  # Linux only; on other systems a closed connection is readable


class ReplyHead(Struct, frozen=True):
    """The head of a reply, and the body that follows it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Header names are in lower case."""
    first: dict[str, str]
    """The first value of each header."""
    body: ReplyBody

    def get(self, name: str) -> str:
        """Return the first value of a header, or the empty text if there is none."""
        return self.first.get(name, "")


class Owner(Protocol):
    """The interface of the pool for its connections."""

    def made(self, wire: "UpstreamConnection") -> None: ...
    def release(self, wire: "UpstreamConnection") -> None: ...
    def lost(self, wire: "UpstreamConnection") -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """One connection. httptools calls the `on_*` methods while it parses."""

    def __init__(self, owner: Owner, origin: Origin) -> None:
        """Take the owner, and the origin that it connects to."""
        self.origin: Final = origin
        self.alive = False
        self.idle_since = 0.0
        """The end of the last exchange, in seconds of the owner's clock."""
        self.idle_s: float | None = None
        """Seconds that the connection was idle before it was used. It is null for a new one."""
        self.promise = _NOTHING_PROMISED
        """The idle timeout that the last reply announced."""
        self._owner: Final = owner
        self._parser: Final = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._head: asyncio.Future[ReplyHead | UpstreamFailure] | None = None
        self._body: ReplyBody | None = None
        self._headers: list[tuple[str, str]] = []
        self._head_bytes = self._informational = 0
        self._framing_bytes = 0
        """Bytes that arrived since the last piece of the body: heads, trailers, and the data between chunks."""
        self._until_close = self._whole = self._keeps = self._odd = False

    async def ask(self, request: bytes) -> ReplyHead | UpstreamFailure:
        """Send a request and return the head of its reply. Cancellation of the wait closes the connection.

        `UNWRITTEN` means that the connection was closed before anything was written to it. The pool calls `quiet`
        immediately before.
        """
        if self._transport is None or not self.alive or self._transport.is_closing():
            self.abort()
            return UNWRITTEN
        self._head = head = asyncio.get_running_loop().create_future()
        self._head_bytes = self._framing_bytes = self._informational = 0
        self._until_close = self._whole = False
        self._transport.write(request)
        try:
            return await head
        except asyncio.CancelledError:
            self.abort()
            raise

    def quiet(self) -> bool:
        """Return whether the server has neither closed the connection nor sent unread data."""
        if self._transport is None or not self.alive or self._transport.is_closing():
            return False
        return self._poll is None or not self._poll.poll(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)
        socket = transport.get_extra_info("socket")
        if socket is not None:
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN | select.POLLPRI | _HALF_CLOSED)
        self.alive = True
        self._owner.made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the exchange. A body without framing ends with its connection; any other body is incomplete."""
        self.alive = False
        self._end(CUT if self._head_bytes else CLOSED, None if self._until_close and exc is None else CUT)
        self._owner.lost(self)

    def turn_key(self) -> Origin:
        """Return the origin, which is the key of turns."""
        return self.origin

    def pause_reading(self) -> None:
        """Stop reading until `resume_reading`."""
        self.pause()

    def resume_reading(self) -> None:
        """Resume reading, unless the body is paused because its data was not read yet."""
        if self._body is None or not self._body.paused:
            self.resume()

    def data_received(self, data: bytes) -> None:
        """Parse the data, and check whether it ended the exchange."""
        if self._head is None and self._body is None:
            self.abort()
            return
        self._head_bytes += len(data)
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._odd = True
        if self._framing_bytes > HEAD_BYTES and not self._whole:
            self._odd = True
        if self._odd or (self._whole and not self._reusable()):
            self._end(GARBAGE, GARBAGE)
            self.abort()
        elif self._whole:
            self._whole = False
            self._owner.release(self)

    def on_message_begin(self) -> None:
        """Begin a reply. A reply that follows another one is an error, because no request was sent for it."""
        self._headers = []
        self._odd = self._odd or self._head is None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the head. Trailers are ignored."""
        if self._head is not None:
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        """Deliver the head, unless it is informational."""
        status = self._parser.get_status_code()
        if status < _OK:
            self._informational += 1
            self._odd = self._odd or self._informational > _MOST_INFORMATIONAL
            return
        first = dict(reversed(self._headers))  # the first of several equal names counts
        coded = "transfer-encoding" in first
        self._odd = self._odd or (coded and self._codings() != ["chunked"])
        if self._head_bytes > HEAD_BYTES:  # a head cannot be larger than the received bytes
            self._odd = self._odd or sum(len(name) + len(value) for name, value in self._headers) > HEAD_BYTES
        self._until_close = not coded and "content-length" not in first and status not in _BODILESS
        head, self._head = self._head, None
        if head is None or head.done() or self._odd:
            self._odd = True
            self._settle(head, GARBAGE)
            return
        self.promise = promise(self._headers) if "keep-alive" in first else _NOTHING_PROMISED
        self._body = ReplyBody(self)
        head.set_result(ReplyHead(status, tuple(self._headers), first, self._body))

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body."""
        self._framing_bytes = 0
        if self._body is not None:
            self._body.add(body)

    def on_message_complete(self) -> None:
        """End the body. Informational heads have none."""
        body, self._body = self._body, None
        if body is not None:
            body.end()
            self._whole = True
            self._keeps = self._parser.should_keep_alive()

    def pause(self) -> None:
        """Stop reading."""
        if self._transport is not None and self.alive and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Resume reading."""
        if self._transport is not None and self.alive and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close the connection at once."""
        self.alive = False
        if self._transport is not None:
            self._transport.abort()

    def _codings(self) -> list[str]:
        return [value.lower() for name, value in self._headers if name == "transfer-encoding"]

    def _reusable(self) -> bool:
        sent = self._transport is not None and not self._transport.get_write_buffer_size()
        return self.alive and sent and self._keeps and not self._until_close

    def _end(self, before: UpstreamFailure, during: UpstreamFailure | None) -> None:
        """End the exchange: with `before` if no head has arrived, with `during` if a body is arriving."""
        head, body = self._head, self._body
        self._head = self._body = None
        self._settle(head, before)
        if body is not None:
            body.end(during)

    @staticmethod
    def _settle(head: "asyncio.Future[ReplyHead | UpstreamFailure] | None", failure: UpstreamFailure) -> None:
        if head is not None and not head.done():
            head.set_result(failure)
