"""Clients that go away at each step: before anything is sent nothing is sent, afterwards there is a second record.

Rule 1: a modern client that goes away closes its upstream at once; a legacy one has it drained.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.faults.behind import Behind, standing
from tests.faults.wire import LEGACY_POST
from tests.running import until
from tests.servers.scripted import Do, Received, Script, events

pytestmark = pytest.mark.asyncio(loop_scope="module")

OLD_CALL: Final = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
).encode()
RESULT: Final = b'data: {"jsonrpc":"2.0","id":1,"result":{"content":[]}}\n\n'
NEWS: Final = b": still there\n\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    async with standing(tmp_path_factory.mktemp("gateway"), timeout_s=20) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def behind(shared: Behind) -> AsyncGenerator[Behind]:
    """The shared gateway with both eras' lists known; afterwards it serves a call as ever."""
    shared.server.begin()
    assert (await shared.line.called()).status == 200
    assert (await shared.line.legacy("tools/call", {"name": "echo", "arguments": {}})).status == 200
    shared.server.begin()
    yield shared
    shared.server.begin()
    assert (await shared.line.called()).message["result"]["content"] == []


def sent(behind: Behind, era: str) -> bytes:
    """Return the bytes of a call in an era."""
    if era == "modern":
        return behind.line.posted()
    return behind.line.head((*LEGACY_POST, ("Content-Length", str(len(OLD_CALL))))) + OLD_CALL


async def arrived(behind: Behind) -> None:
    """Wait until a call has reached the server."""

    async def found() -> Any:
        return behind.server.effects or None

    await until(found, lambda: "the call did not arrive")


def always(behind: Behind, script: Script) -> None:
    def reply(received: Received) -> Script:
        del received
        return script

    behind.server.reply = reply


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_who_goes_before_the_decision_has_nothing_sent(behind: Behind, era: str) -> None:
    opa, before = behind.pids("opa_started")[-1], behind.known()
    os.kill(opa, signal.SIGSTOP)
    try:
        async with behind.line.opened() as (_, writer):
            writer.write(sent(behind, era))
            await writer.drain()
            await _being_asked(behind)
            client_port = writer.get_extra_info("sockname")[1]
        await behind.line.left(client_port)
    finally:
        os.kill(opa, signal.SIGCONT)
    first = await behind.one_more_than(before)
    assert behind.server.effects == []
    if first["outcome"] == "allow":
        assert (await behind.ended(before))["outcome"] in {"client_gone", "not_forwarded"}


async def _being_asked(behind: Behind) -> None:
    """Give the gateway the time to read a request."""
    del behind
    await asyncio.sleep(0.05)  # noqa: TID251 - nothing outside shows that the request was read


@pytest.mark.parametrize("cut", [1, 100, -1])
async def test_who_goes_within_the_request_has_nothing_sent(behind: Behind, cut: int) -> None:
    async with behind.line.opened() as (_, writer):
        writer.write(behind.line.posted()[:cut])
        await writer.drain()
    assert (await behind.line.called()).status == 200
    assert len(behind.server.effects) == 1


async def _streaming(reader: asyncio.StreamReader) -> None:
    """Wait until the client has the head of the stream and something of it."""
    async with asyncio.timeout(60):
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"\n\n")


@pytest.mark.parametrize("script", [[Do.HANG], [*events(NEWS, end=False), Do.HANG]], ids=["before", "within"])
async def test_a_modern_client_that_goes_closes_its_upstream_at_once(behind: Behind, script: Script) -> None:
    before = behind.known()
    always(behind, script)
    async with behind.line.opened() as (_, writer):
        writer.write(sent(behind, "modern"))
        await arrived(behind)
    await asyncio.wait_for(behind.server.gone.wait(), 60)
    assert (await behind.ended(before))["outcome"] == "client_gone"
    assert len(behind.server.effects) == 1


async def test_a_legacy_client_that_goes_has_its_upstream_drained(behind: Behind) -> None:
    before, going_on = behind.known(), asyncio.Event()
    behind.server.reply = lambda _: [*events(NEWS, end=False), going_on, *events(RESULT)[1:]]
    async with behind.line.opened() as (reader, writer):
        writer.write(sent(behind, "legacy"))
        await _streaming(reader)
    going_on.set()
    assert (await behind.ended(before))["outcome"] == "client_gone"
    assert (await behind.line.called()).status == 200
    assert not behind.server.gone.is_set()


async def test_a_legacy_client_that_goes_before_the_answer_cancels_nothing(behind: Behind) -> None:
    before, going_on = behind.known(), asyncio.Event()
    behind.server.reply = lambda _: [going_on, *events(RESULT)]
    async with behind.line.opened() as (_, writer):
        writer.write(sent(behind, "legacy"))
        await arrived(behind)
    going_on.set()
    await behind.ended(before)
    assert (await behind.line.called()).status == 200
    assert not behind.server.gone.is_set()


async def test_many_that_go_leave_no_connection_behind(behind: Behind) -> None:
    before, count = behind.known(), len(behind.server.effects)
    always(behind, [Do.HANG])

    async def arrived_all() -> bool | None:
        return len(behind.server.effects) - count == 20 or None

    async def gone() -> None:
        async with behind.line.opened() as (_, writer):
            writer.write(sent(behind, "modern"))
            await writer.drain()
            # A client that goes before its own call has begun leaves no record: policy is not asked about it.
            await until(arrived_all, lambda: "not every call arrived")

    await asyncio.gather(*(gone() for _ in range(20)))

    async def recorded() -> bool | None:
        calls = behind.known() - before
        return (len(calls) == 20 and all(behind.completed(each) for each in calls)) or None

    await until(recorded, lambda: "not every call has its second record")


async def test_a_stream_whose_client_goes_ends(behind: Behind) -> None:
    before = behind.known()
    always(behind, [*events(NEWS, end=False), Do.HANG])
    headers = (("Accept", "text/event-stream"), ("MCP-Protocol-Version", "2025-11-25"))
    async with behind.line.opened() as (reader, writer):
        writer.write(behind.line.head(headers, verb="GET"))
        await _streaming(reader)
    await asyncio.wait_for(behind.server.gone.wait(), 60)
    assert (await behind.ended(before))["outcome"] == "client_gone"
