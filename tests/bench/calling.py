"""Calls to many gateways, to see when the answers of each change.

Rule 1: callers are few and make pauses: a call costs some 5 ms of CPU, which what is measured lacks.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import orjson

from tests.bench.load import Connection
from tests.bench.stage import HEADERS, META
from tests.running import Gateway

CALLERS: Final = 2
PAUSE_S: Final = 0.02
PATIENCE_S: Final = 60


class Caller:
    """Calls one gateway's server, on one connection."""

    def __init__(self, gateway: Gateway, connection: Connection) -> None:
        """Take the connection; made by `calling` only."""
        self._head: Final = _head(gateway)
        self._connection: Final = connection

    async def call(self, tool: str) -> bytes:
        """Call a tool and return the answer's body."""
        params = {"name": tool, "arguments": {}, "_meta": META}
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        return await self._connection.ask(
            f"{self._head}Mcp-Name: {tool}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )


def _head(gateway: Gateway) -> str:
    parts = urlsplit(gateway.url("bench"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items() if name != "Mcp-Name")
    return f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{lines}"


async def calling(gateway: Gateway) -> Caller:
    """Return a caller of this gateway."""
    parts = urlsplit(gateway.origin)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    _, connection = await asyncio.get_running_loop().create_connection(Connection, *address)
    return Caller(gateway, connection)


async def seen(callers: Sequence[Caller], tool: str, wanted: bytes) -> list[float]:
    """Return when each of them got the wanted answer, in order."""
    pending, times = deque(callers), list[float]()

    async def call() -> None:
        while pending:
            caller = pending.popleft()
            if wanted in await caller.call(tool):
                times.append(time.perf_counter())
            else:
                pending.append(caller)
                await asyncio.sleep(PAUSE_S)  # noqa: TID251 - callers that leave CPU for what they measure

    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(call() for _ in range(CALLERS)))
    return times
