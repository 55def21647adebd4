"""Callers whose messages are large and expensive to read cost other callers nothing but time."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from msgspec import Struct

from tests.faults.behind import Counterpart, counterpart, entry
from tests.faults.test_slow_questions import AGENTS, FLOODING, ORDINARY, credential
from tests.faults.wire import Got, Line, call, modern
from tests.running import catalog, running

SETTINGS: Final = {"opa": {"deadline_ms": 500}, "lists": {"deadline_ms": 500}}
CALLS: Final = 50
"""Calls of another caller on another server while a flood goes on."""
CONNECTIONS: Final = 2
"""Connections of a flood, each with the next message as soon as the last one is answered."""
MANY: Final = 190_000
"""Values that are just below the limit."""


def body(arguments: bytes) -> bytes:
    """Return the body of a call with arguments as they are written."""
    return call("delete", {"m": 0}).replace(b'{"m": 0}', arguments)


def listed(*values: bytes) -> bytes:
    return body(b'{"m":[' + b",".join(values) + b"]}")


BODIES: Final = {
    "floats": listed(*[b"1.5"] * MANY),
    "odd numbers": listed(*[b"1e17"] * MANY),
    "spaced": body(b'{"m": [' + b", ".join([b"1.50"] * MANY) + b"]}"),
    "strings": listed(*[b'"s%d"' % number for number in range(MANY)]),
    "keys": body(json.dumps({f"é{number}": number for number in range(19_000)}).encode()),
    "objects": listed(*[b"{}"] * 19_000),
    "arrays": listed(*[b'[1,2.5,"x"]'] * 19_000),
    "deep": listed(*[b"[" * 58 + b"]" * 58] * 300),
    "tokens": body(b'{"token":[' + b",".join(b'"s%05d"' % number for number in range(100_000)) + b"]}"),
    "a word": body(b'{"m":"' + b"a" * 60_000 + b'=pass"}'),
    "secrets": body(
        json.dumps({"token": [f"s{n}" for n in range(3_500)], "x": [f"t{n}" for n in range(3_500)]}).encode()
    ),
    "refused": body(b'{"m":[' + b",".join([b"1e5"] * MANY) + b'],"m":1}'),
    "text": body(b'{"m":"' + b"\\n" * 400_000 + b'"}'),
}


class Beside(Struct):
    """A line to the server of a flood, and one to the server of another caller."""

    flooded: Line
    line: Line
    server: Counterpart


@asynccontextmanager
async def two_servers(directory: Path) -> AsyncGenerator[Beside]:
    """Run a gateway before two servers, as two agents may use them."""
    async with counterpart() as one, counterpart() as other:
        servers = {"s": entry(one.url), "v": catalog("v", other.url, tools={"echo": {"action": "read"}})}
        async with running(directory, servers=servers, files=AGENTS, settings=SETTINGS) as gateway:
            yield Beside(Line(gateway.url("s")), Line(gateway.url("v")), other)


class Flood:
    """Large messages one after another on some connections, until it is stopped."""

    def __init__(self, line: Line, sent: bytes) -> None:
        """Take where to send what."""
        self._line = line
        self._sent = sent
        self._stopped = False
        self.answers: list[Got] = []

    async def run(self) -> None:
        """Send until stopped, at least one message for each connection."""
        await asyncio.gather(*(self._connection() for _ in range(CONNECTIONS)))

    def stop(self) -> None:
        """Send no more."""
        self._stopped = True

    async def _connection(self) -> None:
        while not self._stopped:
            self.answers.append(
                await self._line.post(self._sent, *modern("tools/call", "delete"), credential(FLOODING))
            )


async def ordinary(beside: Beside) -> None:
    """Call as another agent on another server, and see that it is allowed."""
    got = await beside.line.called("echo", {"text": "fine"}, credential(ORDINARY))
    assert got.status == 200, got
    assert not got.message["result"].get("isError"), got


@pytest.mark.parametrize("name", BODIES)
async def test_large_messages_of_one_caller_refuse_no_other(tmp_path: Path, name: str) -> None:
    async with two_servers(tmp_path) as beside:
        await ordinary(beside)
        beside.server.begin()
        flood = Flood(beside.flooded, BODIES[name])
        flooding = asyncio.create_task(flood.run())
        for _ in range(CALLS):
            await ordinary(beside)
        flood.stop()
        await flooding
        assert len(beside.server.effects) == CALLS
        assert flood.answers
        assert {got.status for got in flood.answers} <= {200, 400}
