"""A load generator: some connections, each with one request under way, for a bounded number of calls.

Rule 1: it is one process on hand-written HTTP/1.1, so that it costs less than what it measures.
Rule 2: an answer that is not the wanted one ends the run: a fast refusal is no figure.
"""

import asyncio
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httptools
from msgspec import Struct

Request = Callable[[int], bytes]
"""Makes the n-th message."""


class Figures(Struct, frozen=True, kw_only=True):
    """Latencies in milliseconds and calls a second."""

    calls: int
    p50_ms: float
    p99_ms: float
    calls_per_s: float


class Connection(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.done: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # pyright: ignore[reportAttributeAccessIssue] - asyncio gives a Transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_exception(ConnectionError(f"the connection was lost: {exc}"))

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        if self.done is not None:
            self.done.set_result(b"".join(self.parts))
        self.parts = []
        self._parser = httptools.HttpResponseParser(self)

    def ask(self, request: bytes) -> "asyncio.Future[bytes]":
        """Send a request; return its answer's body."""
        self.done = asyncio.get_running_loop().create_future()
        if self.transport is not None:
            self.transport.write(request)
        return self.done


class Load:
    """Calls one URL; connections are kept between runs."""

    def __init__(self, url: str, headers: dict[str, str], wanted: bytes) -> None:
        """Take the URL, the headers of every request, and what must be in every answer."""
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._head = f"POST {parts.path} HTTP/1.1\r\nHost: 127.0.0.1:{parts.port}\r\n{lines}"
        self._wanted = wanted

    async def run(self, request: Request, *, connections: int, calls: int) -> Figures:
        """Make `calls` calls over `connections` connections and return what it took."""
        loop = asyncio.get_running_loop()
        opened = [(await loop.create_connection(Connection, *self._address))[1] for _ in range(connections)]
        latencies: list[int] = []
        began = time.perf_counter_ns()
        await asyncio.gather(
            *(self._calls(one, request, range(n, calls, connections), latencies) for n, one in enumerate(opened))
        )
        took = time.perf_counter_ns() - began
        for one in opened:
            if one.transport is not None:
                one.transport.close()
        latencies.sort()
        return Figures(
            calls=len(latencies),
            p50_ms=latencies[len(latencies) // 2] / 1e6,
            p99_ms=latencies[len(latencies) * 99 // 100] / 1e6,
            calls_per_s=len(latencies) / (took / 1e9),
        )

    async def _calls(self, connection: Connection, request: Request, numbers: range, latencies: list[int]) -> None:
        for number in numbers:
            body = request(number)
            message = f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body
            began = time.perf_counter_ns()
            answer = await connection.ask(message)
            latencies.append(time.perf_counter_ns() - began)
            if self._wanted not in answer:
                raise AssertionError(answer[:500])
