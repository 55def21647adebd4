"""A gateway that is told to end finishes what clients have open: every answer and every stream is whole."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.faults.behind import Behind, standing
from tests.faults.wire import LEGACY_POST, Got, Lines, modern, parsed, request
from tests.running import until
from tests.servers.scripted import Do, Received, Script, events

NEWS: Final = b": still there\n\n"
STREAM: Final[Lines] = (("Accept", "text/event-stream"), ("MCP-Protocol-Version", "2025-11-25"))
OLD_CALL: Final = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
).encode()


@pytest_asyncio.fixture
async def behind(tmp_path: Path) -> AsyncGenerator[Behind]:
    """A gateway of this test alone, whose calls may finish for a moment."""
    async with standing(tmp_path, timeout_s=600, settings={"listen": {"port": 0, "drain_s": 0.5}}) as made:
        assert (await made.line.called()).status == 200
        assert (await made.line.legacy("tools/call", {"name": "echo", "arguments": {}})).status == 200
        made.server.begin()
        yield made


def listen() -> bytes:
    return json.dumps(request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id=7)).encode()


def requests(behind: Behind, kind: str) -> bytes:
    """Return the bytes of a request that stays open."""
    if kind == "stream":
        return behind.line.head(STREAM, verb="GET")
    if kind == "listen":
        body = listen()
        return behind.line.head((*modern("subscriptions/listen"), ("Content-Length", str(len(body))))) + body
    if kind == "modern":
        return behind.line.posted()
    return behind.line.head((*LEGACY_POST, ("Content-Length", str(len(OLD_CALL))))) + OLD_CALL


async def ended(behind: Behind, kind: str, script: Script) -> Got:
    """Return what a client gets whose request is open when the gateway is told to end."""

    def reply(received: Received) -> Script:
        del received
        return script

    async def arrived() -> Any:
        return behind.server.effects or None

    behind.server.reply = reply
    async with asyncio.timeout(60), behind.line.opened() as (reader, writer):
        writer.write(requests(behind, kind))
        await until(arrived, lambda: "the request did not arrive")
        received = b""
        if script[0] is not Do.HANG:
            received = await _begun(reader)
        behind.gateway.process.send_signal(signal.SIGTERM)
        received += await reader.read()
    await asyncio.to_thread(behind.gateway.process.wait, 60)
    return parsed(received)


async def _begun(reader: asyncio.StreamReader) -> bytes:
    """Wait until the client has the head of the stream and something of it."""
    return await reader.readuntil(b"\r\n\r\n") + await reader.readuntil(b"\n\n")


def errors(behind: Behind) -> list[str]:
    """Return the lines of the log that are errors."""
    lines = behind.gateway.log.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if '"level":"error"' in line or "without completing" in line]


@pytest.mark.parametrize("kind", ["stream", "listen"])
async def test_an_open_stream_ends_whole(behind: Behind, kind: str) -> None:
    got = await ended(behind, kind, [*events(NEWS, end=False), Do.HANG])
    assert (got.status, got.finished) == (200, True)
    if kind == "listen":
        assert (got.message["id"], got.message["result"]["resultType"]) == (7, "complete")
    assert errors(behind) == []


@pytest.mark.parametrize("kind", ["modern", "legacy"])
@pytest.mark.parametrize("script", [[Do.HANG], [*events(NEWS, end=False), Do.HANG]], ids=["before", "within"])
async def test_a_call_under_way_gets_an_answer_in_the_end(behind: Behind, kind: str, script: Script) -> None:
    got = await ended(behind, kind, script)
    assert (got.status, got.finished, got.message["id"]) == (200, True, 1)
    assert got.message["result"]["isError"] is True
    assert "shutting down" in json.dumps(got.message)
    assert errors(behind) == []


async def test_a_call_that_ends_in_time_has_its_own_answer(behind: Behind) -> None:
    async with asyncio.timeout(60), behind.line.opened() as (reader, writer):
        going_on = asyncio.Event()
        done = b'data: {"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":false}}\n\n'
        behind.server.reply = lambda _: [*events(NEWS, end=False), going_on, *events(done)[1:]]
        writer.write(requests(behind, "legacy"))
        received = await _begun(reader)
        behind.gateway.process.send_signal(signal.SIGTERM)
        going_on.set()
        got = parsed(received + await reader.read())
    assert (got.finished, got.message["result"]["isError"]) == (True, False)
