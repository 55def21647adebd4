"""A corpus of malformed bodies on a real socket: never a traceback, never a 5xx, never a forward, always a record."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.faults.behind import Behind, standing
from tests.faults.malformed import CORPUS
from tests.faults.wire import LEGACY, MODERN, POST, Got, modern
from tests.running import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZE: Final = 150
AT_ONCE: Final = 4
HEADS: Final = {
    "legacy": (*POST, ("MCP-Protocol-Version", LEGACY)),
    "modern": modern("tools/call", "echo"),
    "bare": POST,
    "of another revision": (*POST, ("MCP-Protocol-Version", "2099-01-01")),
    "of a list": (*POST, ("MCP-Protocol-Version", MODERN), ("Mcp-Method", "tools/list")),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    async with standing(tmp_path_factory.mktemp("gateway")) as made:
        await made.line.called()
        yield made


@pytest.mark.parametrize("head", HEADS)
async def test_nothing_malformed_passes_or_breaks_anything(shared: Behind, head: str) -> None:
    assert len(set(CORPUS)) >= SIZE
    shared.server.begin()
    before, room = shared.known(), asyncio.Semaphore(AT_ONCE)

    async def sent(body: bytes) -> Got:
        async with room:
            return await shared.line.post(body, *HEADS[head])

    answers = await asyncio.gather(*(sent(body) for body in CORPUS))
    for body, got in zip(CORPUS, answers, strict=True):
        problem = wrong(got)
        assert not problem, f"{problem}: {body[:200]!r} was answered {got}"
    assert shared.server.received == []
    await _recorded(shared, before)
    assert "Traceback" not in shared.gateway.log.read_text(encoding="utf-8")


def wrong(got: Got) -> str:
    """Return what is wrong with an answer to a malformed body; empty where nothing is."""
    if got.status == 202:
        return "" if got.body == b"" else "a body with 202"
    if not 200 <= got.status < 500 or not got.finished:
        return "no answer of ours"
    answer: dict[str, Any] = json.loads(got.body)
    refused = "error" in answer or answer["result"].get("isError") is True
    if answer.get("jsonrpc") != "2.0" or "id" not in answer or not refused:
        return "no JSON-RPC refusal"
    return "a traceback" if b"Traceback" in got.body or b"File " in got.body else ""


async def _recorded(behind: Behind, before: set[str]) -> None:
    async def found() -> bool | None:
        return True if len(behind.known() - before) >= len(CORPUS) else None

    await until(found, lambda: f"{len(behind.known() - before)} of {len(CORPUS)} are recorded")
    assert len(behind.known() - before) == len(CORPUS)
    for record in behind.gateway.records("decided"):
        if record["call_id"] not in before:
            assert record["outcome"] != "allow"
