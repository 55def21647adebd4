"""One request and its response on a connection, as the application sees them.

Rule 1: a response is written in pieces, so that the transport buffers only one piece for a client that does not read.
Rule 2: a response that is sent before `100 Continue` closes the connection: the client may or may not send the body,
which could be mistaken for the next request (RFC 9110 section 10.1.1).
Rule 3: a body that the application waits for must arrive before a deadline.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from math import inf
from typing import Any, Final, cast

from msgspec import Struct
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from gateway.listening.connections import Connection, Connections

PIECE: Final = 64 * 1024
_LOG: Final = logging.getLogger("uvicorn.error")


class Listener(Struct, frozen=True, kw_only=True):
    """The shared state of a server's connections; `error_body` encodes the body of a refusal."""

    config: Config
    asgi: ASGIApp
    state: ServerState
    connections: Connections
    error_body: Callable[[str], bytes]


class Outlet:
    """Output of an exchange; `close` ends the connection after the response with the protocol's `finish`."""

    def __init__(self, transport: asyncio.Transport, finish: Callable[[], None]) -> None:
        self.is_closing: Final = transport.is_closing
        self._write: Final = transport.write
        self._finish: Final = finish
        self._holds = False
        self._held = b""

    def hold(self) -> None:
        """Delay the next write and join it with the following one, because each write wakes the client."""
        self._holds = True

    def write(self, data: bytes) -> None:
        """Write data, or keep it until the next write, `flush` or `close` if `hold` was called."""
        if self._holds:
            self._holds, self._held = False, data
            return
        held, self._held = self._held, b""
        self._write(held + data if held else data)

    def flush(self) -> None:
        """Write the delayed data."""
        if self._held:
            self.write(b"")

    def close(self) -> None:
        """End the connection after the written data."""
        self.flush()
        self._finish()


class ExchangeConnection(Struct, frozen=True):
    """The connection of an exchange, with the object that counts it."""

    connections: Connections
    connection: Connection
    outlet: Outlet
    flow: FlowControl


class HttpExchange(RequestResponseCycle):
    """A request and its response."""

    def __init__(
        self,
        line: ExchangeConnection,
        scope: Any,
        default_headers: list[tuple[bytes, bytes]],
        on_response: Callable[[], None],
    ) -> None:
        super().__init__(
            scope=scope,
            transport=cast("asyncio.Transport", line.outlet),
            flow=line.flow,
            logger=_LOG,
            access_logger=_LOG,
            access_log=False,
            default_headers=default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=on_response,
        )
        self._line: Final = line
        self._body_until = inf

    async def receive(self) -> Any:
        """Return the next event; the body's timeout runs while the application waits for it."""
        if not self.more_body or self.disconnected or self.response_complete:
            return await super().receive()
        line, limits = self._line, self._line.connections.limits
        if self._body_until == inf:
            self._body_until = time.monotonic() + limits.body_s
        self.progress()
        try:
            return await super().receive()
        finally:
            if not (self.response_complete or self.disconnected):
                line.connections.work(line.connection)

    def progress(self) -> None:
        """Renew the deadline: a part of the body has arrived, or the application has begun to wait."""
        line = self._line
        line.connections.expect(
            line.connection, min(self._body_until, time.monotonic() + line.connections.limits.stall_s)
        )

    @property
    def waits_for_body(self) -> bool:
        """True while the application waits for an incomplete body."""
        return self.more_body and self._line.connection.deadline < inf

    def leave(self) -> None:
        """Stop reading and writing, because the client has disconnected."""
        if not self.response_complete:
            self.disconnected = True
            self.message_event.set()

    async def send(self, message: Any) -> None:
        """Write an event of the application; write nothing if the connection is closed."""
        if self._line.outlet.is_closing():
            self.leave()
        if not self.response_started and self.waiting_for_100_continue:
            self.keep_alive = False
        if message["type"] == "http.response.start":
            has_body = self.scope["method"] != "HEAD"
            if has_body and any(name == b"content-length" for name, _ in message.get("headers", ())):
                self._line.outlet.hold()
            await super().send(message)
            return
        body: bytes = message.get("body", b"")
        if len(body) <= PIECE:
            await super().send(message)
            self._line.outlet.flush()
            return
        more = bool(message.get("more_body", False))
        with self._line.connections.unread(self._line.connection, len(body)):
            for start in range(0, len(body), PIECE):
                piece = body[start : start + PIECE]
                last = start + PIECE >= len(body)
                await super().send({"type": "http.response.body", "body": piece, "more_body": more or not last})
