"""An upstream that does exactly what a test says, byte by byte: hangs, resets, half events, garbage.

    async with scripted(answer({"tools": []})) as server:
        ... server.url ...                              # http://127.0.0.1:<port>/mcp
        server.script = hang()                          # how it answers from now on
        await server.arrival(2)                         # waits until two requests have reached it
        assert server.received == []                    # its journal: what reached it, in which words

A script is a list of steps, taken once a request has arrived whole: `bytes` are written as they are, `Repeat` writes
some bytes many times, an `asyncio.Event` waits until the test sets it, and `Do` says what else there is. After the last
step the connection is kept for another request.
The functions at the end of this page are the scripts that most tests want.

Rule 1: it speaks raw HTTP/1.1 on a socket: no library mends what a test wants broken.
Rule 2: whatever reaches it is in `received` before anything is answered.
"""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, Final

from msgspec import Struct


class Do(Enum):
    """What a step does when it does not write."""

    HANG = "wait until the other side goes away"
    RESET = "break the connection off with a TCP reset"
    CLOSE = "close the connection in good order"


class Repeat(Struct, frozen=True):
    """A step that writes the same bytes many times, as fast as the other side reads."""

    piece: bytes
    times: int


Step = bytes | Repeat | Do | asyncio.Event
Script = Sequence[Step]

MEGABYTE: Final = 1024 * 1024


class Received(Struct, frozen=True):
    """One request as it reached the server; header names in lower case, in order."""

    verb: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """Return the first value of a header; null where there is none."""
        return next((value for found, value in self.headers if found == name), None)


class Scripted:
    """A server on a random port of this machine, and its journal."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.url = ""
        self.connections = 0
        self.written = 0
        """Bytes of answers that were handed to the socket."""
        self.received: Final[list[Received]] = []
        self.gone: Final = asyncio.Event()
        """Set once the other side went away while it was served."""
        self.cut: Final = asyncio.Event()
        """Set once the other side went away in the middle of an answer that hung."""
        self._news: Final = asyncio.Condition()
        self._open: Final[set[asyncio.StreamWriter]] = set()

    async def arrival(self, count: int = 1) -> None:
        """Wait until so many requests have arrived."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.received) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side has enough."""
        self.connections += 1
        self._open.add(writer)
        try:
            while True:
                await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            self.gone.set()
        except _Enough:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        """Close every connection that is open."""
        for writer in self._open:
            writer.close()

    def script_for(self, received: Received) -> Script:
        """Return how a request is answered; a server that tells requests apart overrides it."""
        del received
        return self.script

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = await _request(reader)
        self.received.append(received)
        async with self._news:
            self._news.notify_all()
        for step in list(self.script_for(received)):
            await self._take(step, reader, writer)

    async def _take(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match step:
            case bytes():
                await self._write(writer, step)
            case Repeat(piece=piece, times=times):
                for _ in range(times):
                    await self._write(writer, piece)
            case asyncio.Event():
                await step.wait()
            case Do.HANG:
                await self._hung(reader)
            case Do.CLOSE:
                raise _Enough
            case Do.RESET:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                raise _Enough

    async def _hung(self, reader: asyncio.StreamReader) -> None:
        try:
            await reader.readexactly(1)
        except (OSError, asyncio.IncompleteReadError):
            self.cut.set()
            raise

    async def _write(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        writer.write(piece)
        await writer.drain()
        self.written += len(piece)


class _Enough(Exception):  # noqa: N818 - the end of a script is no error
    """The script ends the connection."""


async def _request(reader: asyncio.StreamReader) -> Received:
    """Return the next request; an error where the other side goes away before it is whole."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    verb, path, _ = first.split(" ")
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    length = int(dict(headers).get("content-length", "0"))
    return Received(verb, path, headers, await reader.readexactly(length))


@asynccontextmanager
async def scripted(script: Script | None = None, *, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Scripted]:
    """Run a scripted server until the end of the block."""
    made = Scripted(script or answer({}))
    async with serving(made, tls=tls):
        yield made


@asynccontextmanager
async def serving(scripted: Scripted, *, tls: ssl.SSLContext | None = None) -> AsyncGenerator[asyncio.Server]:
    """Run a server until the end of the block, or until what is yielded is closed."""
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    scripted.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/mcp"
    try:
        yield server
    finally:
        server.close()
        scripted.hang_up()


def whole(body: bytes, *, status: str = "200 OK", media: str = "application/json", headers: str = "") -> Script:
    """A complete answer; `headers` are further lines, each ending in CRLF."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return [head.encode() + body]


def answer(result: dict[str, Any], *, id: str | int = 1) -> Script:  # noqa: A002 - JSON-RPC's word
    """A JSON-RPC result."""
    return whole(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}).encode())


def events(*pieces: bytes, end: bool = True) -> Script:
    """An event stream, one chunk a piece; without `end` it never ends: add a step that says how it breaks off."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, *map(chunk, pieces), *([b"0\r\n\r\n"] if end else [])]


def chunk(piece: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def huge(size: int) -> Script:
    """A JSON answer of about `size` bytes that is written as fast as it is read."""
    pieces = size // MEGABYTE
    head, tail = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"', b'"}]}}'
    length = len(head) + pieces * MEGABYTE + len(tail)
    first = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()
    return [first + head, Repeat(b"x" * MEGABYTE, pieces), tail]


def hang() -> Script:
    """No answer at all."""
    return [Do.HANG]


def reset() -> Script:
    """A TCP reset instead of an answer."""
    return [Do.RESET]


def half_event(how: Do = Do.RESET) -> Script:
    """A stream that breaks off in the middle of its second event."""
    return [*events(b'data: {"jsonrpc":"2.0","method":"notifications/message"}\n\n', b'data: {"json', end=False), how]


def redirect(location: str, status: str = "307 Temporary Redirect") -> Script:
    """A redirect to somewhere else."""
    return whole(b"", status=status, headers=f"Location: {location}\r\n")


def unauthorized() -> Script:
    """A challenge of the server's own."""
    challenge = 'WWW-Authenticate: Bearer resource_metadata="https://upstream.example/metadata"\r\n'
    return whole(b'{"error":"invalid_token"}', status="401 Unauthorized", headers=challenge + "Set-Cookie: a=b\r\n")


def garbage() -> Script:
    """Bytes that are not HTTP."""
    return [b"\x00\x01\x02 this is not HTTP\r\n\r\n", Do.CLOSE]
