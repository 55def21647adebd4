"""One connection to an upstream: a request written in one piece, HTTP/1.1 read by httptools.

Rule 1: a connection carries one exchange at a time; bytes that answer nothing condemn it.
Rule 2: heads, trailers and chunk extensions are bounded, and framing that two readers may read differently is refused
(llhttp is strict by itself).
Rule 3: it may be used again only when the last exchange ended in every way: request sent, reply whole, nothing after.
Rule 4: a request that was not written at all is told apart from one of which the server may have seen a byte.
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
_HALF_CLOSED: Final = getattr(select, "POLLRDHUP", 0)  # Linux has it; elsewhere an end is readable


class ReplyHead(Struct, frozen=True):
    """The head of a reply, and the body that follows it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    first: dict[str, str]
    """The first value of each header."""
    body: ReplyBody

    def get(self, name: str) -> str:
        """Return the first value of a header; empty if there is none."""
        return self.first.get(name, "")


class Owner(Protocol):
    """The pool, as a connection sees it."""

    def made(self, wire: "UpstreamConnection") -> None: ...
    def release(self, wire: "UpstreamConnection") -> None: ...
    def lost(self, wire: "UpstreamConnection") -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """A connection; httptools calls the `on_*` methods while it parses."""

    def __init__(self, owner: Owner, origin: Origin) -> None:
        """Take the owner, and what it is connected to."""
        self.origin: Final = origin
        self.alive = False
        self.idle_since = 0.0
        """When the last exchange ended, in seconds of the owner's clock."""
        self.idle_s: float | None = None
        """How long the connection was idle before it was taken; null for a new one."""
        self.promise = _NOTHING_PROMISED
        """What the last reply said about the idle timeout."""
        self._owner: Final = owner
        self._parser: Final = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._head: asyncio.Future[ReplyHead | UpstreamFailure] | None = None
        self._body: ReplyBody | None = None
        self._headers: list[tuple[str, str]] = []
        self._head_bytes = self._informational = 0
        self._framing_bytes = 0
        """What arrived since the last piece of the body: heads, trailers, and what stands between chunks."""
        self._until_close = self._whole = self._keeps = self._odd = False

    async def ask(self, request: bytes) -> ReplyHead | UpstreamFailure:
        """Send a request and return the head of its reply; a caller that stops waiting for it ends the connection.

        `UNWRITTEN` means that the connection was closed before anything was written to it. The pool asks `quiet`
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
        """Return whether the server has neither closed the connection nor sent something that was not read yet."""
        if self._transport is None or not self.alive or self._transport.is_closing():
            return False
        return self._poll is None or not self._poll.poll(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)
        socket = transport.get_extra_info("socket")
        if socket is not None:
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN | select.POLLPRI | _HALF_CLOSED)
        self.alive = True
        self._owner.made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way: a body without framing ends with its connection, any other breaks off."""
        self.alive = False
        self._end(CUT if self._head_bytes else CLOSED, None if self._until_close and exc is None else CUT)
        self._owner.lost(self)

    def turn_key(self) -> Origin:
        """Return the server."""
        return self.origin

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`."""
        self.pause()

    def resume_reading(self) -> None:
        """Read again, unless the body that was read waits to be taken."""
        if self._body is None or not self._body.paused:
            self.resume()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and find out whether it ended the exchange."""
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
        """Take note of a reply; nobody asked for one that follows another."""
        self._headers = []
        self._odd = self._odd or self._head is None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers come after the head and are passed over."""
        if self._head is not None:
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        """Hand over the head, unless it is one that another follows."""
        status = self._parser.get_status_code()
        if status < _OK:
            self._informational += 1
            self._odd = self._odd or self._informational > _MOST_INFORMATIONAL
            return
        first = dict(reversed(self._headers))  # the first of equal names wins
        coded = "transfer-encoding" in first
        self._odd = self._odd or (coded and self._codings() != ["chunked"])
        if self._head_bytes > HEAD_BYTES:  # the head cannot be larger than the bytes received
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
        """End the body; informational heads have none."""
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
        """Read on."""
        if self._transport is not None and self.alive and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection at once."""
        self.alive = False
        if self._transport is not None:
            self._transport.abort()

    def _codings(self) -> list[str]:
        return [value.lower() for name, value in self._headers if name == "transfer-encoding"]

    def _reusable(self) -> bool:
        sent = self._transport is not None and not self._transport.get_write_buffer_size()
        return self.alive and sent and self._keeps and not self._until_close

    def _end(self, before: UpstreamFailure, during: UpstreamFailure | None) -> None:
        """End the exchange: with `before` where no head has arrived, with `during` where a body is arriving."""
        head, body = self._head, self._body
        self._head = self._body = None
        self._settle(head, before)
        if body is not None:
            body.end(during)

    @staticmethod
    def _settle(head: "asyncio.Future[ReplyHead | UpstreamFailure] | None", failure: UpstreamFailure) -> None:
        if head is not None and not head.done():
            head.set_result(failure)
