"""HTTP transport on a Unix socket: a small HTTP/1.1 client with one write and one parse for each exchange.

Rule 1: a connection carries one exchange at a time. An exchange that is canceled or breaks closes it.
Rule 2: a kept-alive connection that dies before any byte of its response is replaced once by a new one (see
`exchange`).
"""

import asyncio
from collections import deque
from pathlib import Path
from typing import Final, cast

import httptools

from gateway.opa.transport import CONNECTIONS, MAX_ANSWER, Broken, Exchanged

_POST: Final = "POST {} HTTP/1.1\r\nHost: opa\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
_GET: Final = "GET {} HTTP/1.1\r\nHost: opa\r\n\r\n"


class UnixConnection(asyncio.Protocol):
    """One connection; httptools calls the `on_*` methods while it parses."""

    def __init__(self) -> None:
        self.alive = True
        self.silent = True
        """True while no byte of the current response has arrived."""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Exchanged | Broken] | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the current exchange."""
        self.alive = False
        self._finish(Broken(f"OPA closed the connection{f': {exc}' if exc else ''}"))

    def data_received(self, data: bytes) -> None:
        """Parse the data; bytes without a request close the connection."""
        self.silent = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("OPA's response is not HTTP")

    def on_message_begin(self) -> None:
        """Close the connection if no request is open."""
        if self._answer is None:
            self.close()

    def on_body(self, body: bytes) -> None:
        """Keep a chunk of the body."""
        self._size += len(body)
        if self._size > MAX_ANSWER:
            self._fail("OPA's response is too large")
            return
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """Complete the exchange with the response."""
        self._finish(Exchanged(self._parser.get_status_code(), b"".join(self._parts)))
        if not self._parser.should_keep_alive():
            self.close()

    def ask(self, message: bytes) -> "asyncio.Future[Exchanged | Broken]":
        """Send one request and return the future of its response."""
        self._parts = []
        self._size = 0
        self.silent = True
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is not None:
            self._transport.write(message)
        return self._answer

    def close(self) -> None:
        """Drop the connection at once; OPA aborts an evaluation when its client is gone."""
        self.alive = False
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, detail: str) -> None:
        self._finish(Broken(detail))
        self.close()

    def _finish(self, outcome: Exchanged | Broken) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(outcome)


class UnixTransport:
    """A pool of connections to a managed OPA."""

    def __init__(self, path: Path, connections: int = CONNECTIONS) -> None:
        self._path = str(path)
        self._idle: deque[UnixConnection] = deque()
        self._places = asyncio.Semaphore(connections)

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        """Return OPA's response. Canceling the call aborts the exchange and OPA's evaluation."""
        message = _GET.format(path).encode() if body is None else _POST.format(path, len(body)).encode() + body
        async with self._places:
            wire = self._kept()
            if wire is not None:
                outcome = await self._on(wire, message)
                if isinstance(outcome, Exchanged) or not wire.silent:
                    return outcome
            fresh = await self._connected()
            return fresh if isinstance(fresh, Broken) else await self._on(fresh, message)

    async def close(self) -> None:
        """Close the idle connections; busy ones close with their exchange."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> UnixConnection | None:
        while self._idle:
            wire = self._idle.pop()
            if wire.alive:
                return wire
        return None

    async def _connected(self) -> UnixConnection | Broken:
        try:
            _, wire = await asyncio.get_running_loop().create_unix_connection(UnixConnection, self._path)
        except OSError as error:
            return Broken(f"OPA cannot be reached: {type(error).__name__}")
        return wire

    async def _on(self, wire: UnixConnection, message: bytes) -> Exchanged | Broken:
        answered = False
        try:
            outcome = await wire.ask(message)
            answered = isinstance(outcome, Exchanged)
        finally:
            if answered and wire.alive:
                self._idle.append(wire)
            else:
                wire.close()
        return outcome
