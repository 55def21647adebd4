"""Results larger than the gateway reads: refused, or relayed unread where the route allows it, in bounded memory."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from tests.faults.behind import Behind, standing
from tests.faults.wire import DEADLINE_S
from tests.servers.scripted import MEGABYTE, Do, Received, Repeat, Script, chunk, huge

pytestmark = pytest.mark.asyncio(loop_scope="module")

HUNDRED: Final = 100 * MEGABYTE
GROWTH: Final = 40 * MEGABYTE
"""Far less than the result: what buffers, garbage and a busy machine may take."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    async with standing(tmp_path_factory.mktemp("gateway"), large_results=True) as made:
        await made.line.called()
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def behind(shared: Behind) -> AsyncGenerator[Behind]:
    """The shared gateway; afterwards it serves a call as ever."""
    shared.server.begin()
    yield shared
    shared.server.begin()
    assert (await shared.line.called()).message["result"]["content"] == []


def streamed(size: int) -> Script:
    """One event of about `size` bytes, which no reader of events would hold."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    first = b'data: {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"'
    pieces = Repeat(chunk(b"x" * MEGABYTE), size // MEGABYTE)
    return [head, chunk(first), pieces, chunk(b'"}]}}\n\n'), b"0\r\n\r\n"]


def unannounced(size: int) -> Script:
    """A JSON answer of about `size` bytes whose head does not say how long it is."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    first = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"'
    pieces = Repeat(chunk(b"x" * MEGABYTE), size // MEGABYTE)
    return [head, chunk(first), pieces, chunk(b'"}]}}'), b"0\r\n\r\n"]


LARGE: Final = {"announced": huge, "unannounced": unannounced, "an event": streamed}


def worker_memory(behind: Behind, field: str) -> int:
    """Return a figure of the worker's memory in bytes: `VmRSS` now, `VmHWM` at most since it was cleared."""
    lines = Path(f"/proc/{behind.worker()}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def begin_anew(behind: Behind) -> None:
    """Let `VmHWM` begin at what the worker has now."""
    Path(f"/proc/{behind.worker()}/clear_refs").write_text("5", encoding="ascii")


@pytest.mark.parametrize("form", LARGE)
async def test_a_large_result_passes_unread_in_bounded_memory(behind: Behind, form: str) -> None:
    behind.server.reply = _always(LARGE[form](HUNDRED))
    before, memory = behind.known(), worker_memory(behind, "VmRSS")
    begin_anew(behind)
    received, tail = await _received(behind)
    assert received > HUNDRED
    assert b'"}]}}' in tail
    assert worker_memory(behind, "VmHWM") - memory < GROWTH
    ended = await behind.ended(before)
    assert (ended["outcome"], ended["unread"]) == ("answered", True)
    assert ended["bytes"] > HUNDRED


async def _received(behind: Behind) -> tuple[int, bytes]:
    """Call, and return how much came and how it ended, without holding it."""
    size, tail = 0, b""
    async with behind.line.opened() as (reader, writer):
        writer.write(behind.line.posted())
        while piece := await reader.read(1 << 18):
            size, tail = size + len(piece), (tail + piece)[-64:]
    return size, tail


async def test_a_client_that_does_not_read_holds_the_server_back(behind: Behind) -> None:
    behind.server.reply = _always(huge(HUNDRED))
    written, memory = behind.server.written, worker_memory(behind, "VmRSS")
    async with behind.line.opened() as (reader, writer):
        writer.write(behind.line.posted())
        assert await reader.readexactly(MEGABYTE)
        assert worker_memory(behind, "VmRSS") - memory < GROWTH
        assert behind.server.written - written < HUNDRED


async def test_a_large_result_that_breaks_off_is_cut_for_the_client_too(behind: Behind) -> None:
    behind.server.reply = _always([*huge(20 * MEGABYTE)[:1], Repeat(b"x" * MEGABYTE, 10), Do.RESET])
    before = behind.known()
    got = await behind.line.called()
    assert not got.finished
    ended = await behind.ended(before)
    assert (ended["outcome"], ended["unread"]) == ("upstream_broken", True)


ASKING: Final = b'"}],"resultType":"input_required","\\u0069nput\\u0052equests":{"k":{"method":"sampling/createMessage"'


@pytest.mark.parametrize("form", LARGE)
async def test_a_server_that_pads_what_it_asks_of_the_client_does_not_get_it_there(behind: Behind, form: str) -> None:
    behind.server.reply = _always(_padded(LARGE[form](20 * MEGABYTE), ASKING if form == "announced" else chunk(ASKING)))
    before, counted = behind.known(), await _cut(behind)
    got = await behind.line.called()
    assert not got.finished
    assert b"x" * MEGABYTE in got.body
    assert b"sampling" not in got.body
    assert b"0052equests" not in got.body
    ended = await behind.ended(before)
    assert (ended["outcome"], ended["unread"]) == ("unread_input_request", True)
    assert "inputRequests" in ended["detail"]
    assert await _cut(behind) == counted + 1
    await asyncio.wait_for(behind.server.gone.wait(), DEADLINE_S)


def _padded(script: Script, end: bytes) -> Script:
    """Return the script with this in place of the last megabyte and what follows it."""
    at, padding = next((at, step) for at, step in enumerate(script) if isinstance(step, Repeat))
    return [*script[:at], Repeat(padding.piece, padding.times - 1), end, Do.HANG]


async def _cut(behind: Behind) -> float:
    """Return how many results the gateway says that it cut because they ask for something."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{behind.gateway.admin}/metrics", timeout=DEADLINE_S)).text
    name = 'mcp_admission_upstream_exchanges_total{outcome="unread_input_request"}'
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)), 0.0)


def _always(script: Script) -> Any:
    def reply(received: Received) -> Script:
        del received
        return script

    return reply
