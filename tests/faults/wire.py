"""What the fault tests speak: requests as bytes on a socket, and answers as they came.

Rule 1: a request is written byte by byte as the test says it; nothing here mends or completes it.
Rule 2: that the other side saw a connection end is read from the kernel's table of sockets, never guessed by waiting.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct, field

from tests.running import until

MODERN: Final = "2026-07-28"
LEGACY: Final = "2025-11-25"
META: Final[Mapping[str, Any]] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "faults", "version": "1"},
}
DEADLINE_S: Final = 20.0
_SOCKETS: Final = Path("/proc/net/tcp")
_UNSEEN: Final = frozenset({"01", "08"})
"""States of a socket whose process has not closed it: established, and closed by the other side only."""

Lines = tuple[tuple[str, str], ...]
POST: Final[Lines] = (("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"))


class Got(Struct):
    """An HTTP answer; `finished` is false where it broke off."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    finished: bool = False

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def message(self) -> Any:
        """The JSON-RPC response, from JSON or from the last event of a stream."""
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            return json.loads([line[6:] for line in self.body.splitlines() if line.startswith(b"data: {")][-1])
        return self.json

    @property
    def reason(self) -> str:
        """The public code of our refusal; empty where the answer is none."""
        message = self.message
        result, error = message.get("result", {}), message.get("error", {})
        machine: dict[str, Any] = result.get("_meta", {}).get("dev.admission/decision", {})
        return str(machine.get("code") or error.get("data", {}).get("reason", ""))


def request(method: str, params: Mapping[str, Any] | None = None, *, id: Any = 1) -> dict[str, Any]:  # noqa: A002 - JSON-RPC's word
    """Return a modern request."""
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": {**(params or {}), "_meta": META}}


def modern(method: str, name: str = "") -> Lines:
    """Return the headers of a modern POST."""
    named = (("Mcp-Name", name),) if name else ()
    return (*POST, ("MCP-Protocol-Version", MODERN), ("Mcp-Method", method), *named)


LEGACY_POST: Final[Lines] = (*POST, ("MCP-Protocol-Version", LEGACY))


def call(tool: str = "echo", arguments: Mapping[str, Any] | None = None) -> bytes:
    """Return the body of a modern call."""
    return json.dumps(request("tools/call", {"name": tool, "arguments": arguments or {}})).encode()


class Line:
    """One server's endpoint behind a gateway, reached by sockets of our own."""

    def __init__(self, url: str) -> None:
        """Take the URL of the endpoint."""
        parts = urlsplit(url)
        self.host: Final = parts.hostname or ""
        self.port: Final = parts.port or 0
        self.path: Final = parts.path

    def head(self, headers: Lines, *, verb: str = "POST") -> bytes:
        """Return a request's head; the connection ends with the answer."""
        lines = (("Host", f"{self.host}:{self.port}"), ("Connection", "close"), *headers)
        text = "".join(f"{name}: {value}\r\n" for name, value in lines)
        return f"{verb} {self.path} HTTP/1.1\r\n{text}\r\n".encode("latin-1")

    async def post(self, body: bytes, *headers: tuple[str, str]) -> Got:
        """Send a whole request with these headers and no other."""
        return await self.exchange(self.head((*headers, ("Content-Length", str(len(body))))) + body)

    def posted(self, tool: str = "echo", arguments: Mapping[str, Any] | None = None) -> bytes:
        """Return the bytes of a modern call."""
        body = call(tool, arguments)
        return self.head((*modern("tools/call", tool), ("Content-Length", str(len(body))))) + body

    async def called(self, tool: str = "echo", arguments: Mapping[str, Any] | None = None, *more: Any) -> Got:
        """Call a tool in the modern era."""
        return await self.post(call(tool, arguments), *modern("tools/call", tool), *more)

    async def legacy(self, method: str, params: Mapping[str, Any] | None = None, *more: Any) -> Got:
        """Send a request of the legacy era."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        return await self.post(json.dumps(message).encode(), *LEGACY_POST, *more)

    async def exchange(self, sent: bytes, *, then_eof: bool = False) -> Got:
        """Write these bytes and read until the other side ends; `then_eof` closes our side first."""
        async with asyncio.timeout(DEADLINE_S), self.opened() as (reader, writer):
            writer.write(sent)
            if then_eof:
                writer.write_eof()
            return parsed(await _rest(reader))

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Open a connection, and end it at the end of the block whatever is under way on it."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def left(self, client_port: int) -> None:
        """Wait until the gateway has seen that the client at this port is gone, and closed its end."""

        async def closed() -> bool | None:
            return self._open_to(client_port) is False or None

        await until(closed, lambda: "the gateway did not close the connection")

    def _open_to(self, client_port: int) -> bool:
        ours, theirs = f":{self.port:04X}", f":{client_port:04X}"
        rows = (line.split() for line in _SOCKETS.read_text(encoding="ascii").splitlines()[1:])
        return any(row[1].endswith(ours) and row[2].endswith(theirs) and row[3] in _UNSEEN for row in rows)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    received = bytearray()
    try:
        while piece := await reader.read(1 << 16):
            received += piece
    except ConnectionError:
        pass  # what came before the reset is the answer
    return bytes(received)


def parsed(raw: bytes) -> Got:
    """Return the answer in everything that a connection gave."""
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found:
        return Got()
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        body, finished = _dechunked(body)
    else:
        finished = len(body) == int(headers.get("content-length", len(body)))
    return Got(status=int(first.split(" ")[1]), headers=headers, body=body, finished=finished)


def _dechunked(raw: bytes) -> tuple[bytes, bool]:
    pieces: list[bytes] = []
    while raw:
        size, _, rest = raw.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return b"".join(pieces), True
        pieces.append(rest[:length])
        raw = rest[length + 2 :]
    return b"".join(pieces), False
