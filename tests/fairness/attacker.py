"""The attacking caller: `python -m tests.fairness.attacker ORIGIN SETTINGS SECONDS` runs attacks, each as a process.

Rule 1: each line on standard input names a case. Its process prints its id when it begins, and ends after so many
seconds whatever is under way.
Rule 2: what the gateway answers is read and dropped, unless a case says that it is not read.
"""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Final, cast

import orjson

from gateway.identity.tokens import token
from tests.bench.load import Connection
from tests.fairness.case import CASES
from tests.fairness.cases import load
from tests.faults.wire import LEGACY, LEGACY_POST, POST, Line, Lines, modern

SECRET: Final = b"a" * 32
"""The attacker's service token is made of it."""
_PATIENCE_S: Final = 5.0
_DESCRIPTORS: Final = 4_096


class Attacker:
    """What cases are written with."""

    def __init__(self, origin: str, case: str, settings: Path) -> None:
        """Take where the gateway is, the case that names the server, and the gateway's settings file."""
        self.origin: Final = origin
        self.settings: Final = settings
        self.line: Final = Line(f"{origin}/servers/{case}/mcp")
        self.credential: Final = (("Authorization", f"Bearer {token(SECRET)}"),)
        self._numbers: Final = count(1)
        self._idle: Final[list[Connection]] = []

    async def loops(self, parallel: int, action: Callable[[], Awaitable[object]]) -> None:
        """Do something again and again, in so many loops at once."""
        await asyncio.gather(*(self._loop(action) for _ in range(parallel)))

    async def _loop(self, action: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await action()
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                await asyncio.sleep(0.01)  # noqa: TID251 - the pace of an attacker whose connection broke

    def head(self, body: bytes, headers: Lines | None = None, *, verb: str = "POST") -> bytes:
        """Return the head of a request with this body, whose connection is kept."""
        wanted = headers if headers is not None else (*headers_of(body), *self.credential)
        host = ("Host", f"{self.line.host}:{self.line.port}")
        lines = "".join(f"{name}: {value}\r\n" for name, value in (host, *wanted))
        length = f"Content-Length: {len(body)}\r\n" if verb == "POST" else ""
        return f"{verb} {self.line.path} HTTP/1.1\r\n{lines}{length}\r\n".encode("latin-1")

    async def post(self, body: bytes, headers: Lines | None = None) -> bytes:
        """Send a message on a connection that is kept, and return the body of the answer."""
        return await self.send(self.head(body, headers) + body)

    async def send(self, request: bytes) -> bytes:
        """Send these bytes on a connection that is kept, and return the body of the answer."""
        connection = self._idle.pop() if self._idle else await self._connected()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await connection.ask(request)
        except BaseException:
            if connection.transport is not None:
                connection.transport.abort()
            raise
        if connection.transport is not None and not connection.transport.is_closing():
            self._idle.append(connection)
        return answer

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, self.line.host, self.line.port))[1]

    async def swallow(self, request: bytes) -> None:
        """Send these bytes on a connection of their own, and drop what comes back without a look at it."""
        loop = asyncio.get_running_loop()
        transport, sink = await loop.create_connection(_Sink, self.line.host, self.line.port)
        try:
            transport.write(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            async with asyncio.timeout(_PATIENCE_S):
                await sink.closed.wait()
        finally:
            transport.abort()

    async def unread(self, request: bytes, *, hold_s: float = 60) -> None:
        """Send these bytes and read nothing of the answer."""
        async with self.raw() as (_, writer):
            cast("asyncio.Transport", writer.transport).pause_reading()
            writer.write(request)
            await asyncio.sleep(hold_s)  # noqa: TID251 - the connection is held

    @asynccontextmanager
    async def raw(self) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Open a connection for bytes of the case's own."""
        async with self.line.opened() as opened:
            yield opened

    async def drip(self, pieces: bytes, *, pause_s: float = 0.1) -> None:
        """Send bytes one at a time."""
        async with self.raw() as (_, writer):
            for piece in pieces:
                writer.write(bytes([piece]))
                await asyncio.sleep(pause_s)  # noqa: TID251 - the pace of a slow sender

    async def session(self) -> Lines:
        """Open a legacy session, and return the headers of its requests."""
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
        async with asyncio.timeout(_PATIENCE_S):
            length = ("Content-Length", str(len(body)))
            got = await self.line.exchange(self.line.head((*POST, *self.credential, length)) + body)
        return (*LEGACY_POST, *self.credential, ("Mcp-Session-Id", got.headers.get("mcp-session-id", "")))

    def number(self) -> int:
        """Return a number that was not used yet."""
        return next(self._numbers)


class _Sink(asyncio.Protocol):
    """Reads as fast as it can: an attacker that is slower than the gateway would only slow itself down."""

    def __init__(self) -> None:
        self.closed: Final = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


def headers_of(body: bytes) -> Lines:
    """Return the headers that go with a modern message."""
    message = orjson.loads(body)
    return modern(message["method"], str(message.get("params", {}).get("name", "")))


async def attack(case: str, origin: str, settings: str, seconds: float) -> None:
    """Run the attack of a case for so many seconds."""
    print(os.getpid(), flush=True)  # noqa: T201 - the runner waits for it
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await CASES[case].attack(Attacker(origin, case, Path(settings)))


def main(origin: str, settings: str, seconds: float) -> None:
    """Start a process for each case that is named; it shares what is loaded here."""
    load()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS if hard < 0 else min(_DESCRIPTORS, hard), hard))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(attack(line.strip(), origin, settings, seconds))
            os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
