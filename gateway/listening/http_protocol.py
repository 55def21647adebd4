"""HTTP/1 protocol of the listeners: uvicorn's protocol with additional limits and refusals.

Rule 1: trailers are dropped and never become headers (RFC 9110 section 6.5.1).
Rule 2: each phase of a connection has a deadline in its `Connection`; this module sets no timers.
Rule 3: responses are sent in the order of the requests, including the refusal of an unreadable request.
Rule 4: a client can read its response even if it has not sent its whole request.
"""

import asyncio
import time
from math import inf
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.listening.closing_connections import ClosingConnections
from gateway.listening.connections import EXTENSION, Connection, Ending
from gateway.listening.http_exchange import ExchangeConnection, HttpExchange, Listener, Outlet
from gateway.listening.request_target import named_hosts, read_target
from gateway.listening.unreadable import BAD_TARGET, LATE, LONG_FRAMING, LONG_HEAD, PIPELINED, Unreadable

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_PIPELINED: Final = 128
"""Maximum requests that wait for earlier responses; a client that sends more does not read responses."""


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    _lingering: ClosingConnections
    _line: ExchangeConnection

    def __init__(self, listener: Listener, connection: Connection) -> None:
        super().__init__(listener.config, listener.state, {}, asyncio.get_running_loop())
        self._listener: Final = listener
        self._asgi: Final[Any] = listener.asgi
        self._connections: Final = listener.connections
        self._connection: Final = connection
        self._limits: Final = listener.connections.limits
        self._parser: Final = cast("httptools.HttpRequestParser", self.parser)
        self._in_head = False
        self._began = False
        self._unparsed = 0
        """Bytes of a head, or of a body's framing, since the last progress."""
        self._exchange: HttpExchange | None = None
        """The exchange of the last request."""
        self._running: HttpExchange | None = None
        """The exchange under way; further requests may wait for its end."""
        self._refusal: Unreadable | None = None
        self._upgraded = False
        self._scope: Final[dict[str, Any]] = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "root_path": self.root_path,
            "extensions": {EXTENSION: {"connections": listener.connections, "connection": connection}},
        }
        """The common part of all requests' scopes."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._scope.update(server=self.server, client=self.client, scheme=self.scheme)
        self._lingering = ClosingConnections(transport, self._connections, self._connection)
        self._line = ExchangeConnection(self._connections, self._connection, Outlet(transport, self.finish), self.flow)
        self._connection.end = self._ended
        if self._connection.open:
            self._connections.wait(self._connection, self._limits.head_s)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection and notify the exchange under way, even if other requests wait behind it."""
        self._connections.leave(self._connection)
        if self._running is not None:
            self._running.leave()
        super().connection_lost(exc)

    def turn_key(self) -> str:
        """Return the key that the connection counts for: the principal if known, otherwise the address."""
        return self._connection.key

    def pause_reading(self) -> None:
        """Stop reading until `resume_reading`."""
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Resume reading, unless the application has not yet taken the body that was read."""
        if not (self.flow.read_paused or self.transport.is_closing()):
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Parse the client's data; refuse it if it is not valid."""
        if self._lingering.begun:
            self._lingering.drop(len(data))
            return
        if self._refusal is not None or self._upgraded:
            return
        self._began = False
        self._unparsed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._upgraded = True  # the response is the last one: the following bytes are not HTTP
            self.shutdown()
        except httptools.HttpParserError as error:
            self._refuse(self._refusal or Unreadable.parsing(str(error), self._parser.get_http_version()))
        else:
            if self._in_head or self._unparsed:
                self._measured()

    def _measured(self) -> None:
        """Refuse a head or a framing that is too large; start the timeout of a new head."""
        if self._began and self._in_head:
            self._unparsed = 0  # bytes before the head in the same packet are not part of it
            if self._waits:
                self._connections.wait(self._connection, self._limits.head_s)
        if self._unparsed > self._limits.head_bytes and (self._in_head or self._in_body):
            self._connections.refused(self._connection, "head_bytes")
            self._refuse(LONG_HEAD if self._in_head else LONG_FRAMING)

    @property
    def _waits(self) -> bool:
        """True if every request so far has its response."""
        exchange = self._exchange
        return exchange is None or exchange.response_complete

    @property
    def _in_body(self) -> bool:
        return not self._in_head and self._exchange is not None and self._exchange.more_body

    def on_message_begin(self) -> None:
        """Start a new head."""
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._in_head = self._began = True

    def on_headers_complete(self) -> None:
        """Begin an exchange, or refuse a request that this server does not support."""
        self._in_head, self._unparsed = False, 0
        version, target = self._parser.get_http_version(), read_target(self.url)
        if version not in _VERSIONS:
            self._refusal = Unreadable.version(version)
        elif target is None:
            self._refusal = BAD_TARGET
        elif len(self.pipeline) >= _PIPELINED:
            self._refusal = PIPELINED
        if self._refusal is not None or target is None:
            raise ValueError("the request is refused")  # ends the parser, which reports it to `data_received`
        scope: dict[str, Any] = {
            **self._scope,
            "method": self._parser.get_method().decode("ascii"),
            "http_version": version,
            "path": target.path,
            "raw_path": target.raw_path,
            "query_string": target.query,
            "headers": named_hosts(self.headers, target, version) if target.authority else self.headers,
            "state": {},
        }
        self.headers = []  # Rule 1: trailers go to a list that is never read
        self._begin(scope, version)

    def _begin(self, scope: dict[str, Any], version: str) -> None:
        waits = self._waits
        cycle = HttpExchange(self._line, scope, self.server_state.default_headers, self.on_response_complete)
        cycle.waiting_for_100_continue = self.expect_100_continue and version != "1.0"
        cycle.keep_alive = version != "1.0" and self._parser.should_keep_alive()
        self.cycle = self._exchange = cycle
        self._connections.work(self._connection)
        if waits:
            self._running = cycle
            self._start_asgi_task(cycle, self._asgi)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self._asgi))

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body; after the response it is dropped."""
        self._unparsed = 0
        exchange = self._exchange
        if exchange is None or exchange.response_complete:
            self._lingering.drop(len(body))
            return
        exchange.body += body
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.message_event.set()
        if exchange.waits_for_body:
            exchange.progress()

    def on_message_complete(self) -> None:
        """End the request."""
        cycle = self.cycle
        cycle.more_body, self._unparsed, self.headers = False, 0, []
        if not cycle.response_complete:
            cycle.message_event.set()
        elif not (self.transport.is_closing() or self._lingering.begun):
            self._connections.wait(self._connection, self._limits.idle_s)

    def on_response_complete(self) -> None:
        """Continue with data that the client has sent meanwhile, or wait for it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing() or self._lingering.begun:
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, asgi = self.pipeline.pop()
            self._running = cast("HttpExchange", cycle)
            self._start_asgi_task(cycle, asgi)
        elif self._refusal is not None:
            self._write(self._refusal)
        else:
            limits = self._limits
            seconds = limits.linger_s if self.cycle.more_body else limits.head_s if self._in_head else limits.idle_s
            self._connections.wait(self._connection, seconds)

    def finish(self) -> None:
        """End the connection after its last response; linger if the client may still be sending."""
        if self._in_head or self._in_body or self.pipeline or self._refusal or self._upgraded:
            self.flow.resume_reading()
            self._lingering.begin()
        else:
            self._lingering.close()

    def shutdown(self) -> None:
        """Accept no more requests; those under way are answered."""
        if not self._waits:
            self.cycle.keep_alive = False
        elif not self._lingering.begun:
            self._lingering.close()

    def pause_writing(self) -> None:
        """Start the client's timeout for reading."""
        super().pause_writing()
        self._connection.write_deadline = time.monotonic() + self._limits.stall_s

    def resume_writing(self) -> None:
        """Stop the client's timeout for reading."""
        super().resume_writing()
        self._connection.write_deadline = inf

    def _refuse(self, refusal: Unreadable) -> None:
        """Refuse the last request, after the responses to the earlier ones."""
        self._refusal = refusal
        if self._waits:
            self._write(refusal)
        elif self._in_body and self.pipeline:
            self.pipeline.popleft()  # the broken request is the last one and has not begun
        elif self._in_body:
            self._break_off(refusal)

    def _break_off(self, refusal: Unreadable) -> None:
        """End the exchange under way, whose body will not arrive."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if self.cycle.response_started:
            self.transport.abort()
        else:
            self._write(refusal)

    def _write(self, refusal: Unreadable) -> None:
        body = self._listener.error_body(refusal.reason)
        self.transport.write(refusal.answer(self.server_state.default_headers, body))
        self.flow.resume_reading()
        self._lingering.begin()

    def _ended(self, why: Ending) -> None:
        """End the connection after its deadline, or to make room for others."""
        connection, now = self._connection, time.monotonic()
        stalled = connection.write_deadline <= now
        connection.deadline = connection.write_deadline = inf
        if why != "deadline" or stalled or self.transport.is_closing() or self._lingering.begun:
            self._connections.refused(connection, "stall_s" if stalled else "")
            self.transport.abort()
        elif not self._waits:
            self._connections.refused(connection, "body_s")
            self._break_off(LATE)
        elif self._in_head:
            self._connections.refused(connection, "head_s")
            self._write(LATE)
        else:
            self._lingering.close()
