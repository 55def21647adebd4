"""Stops by several selectors over real processes: what all of them match is refused, and nothing else is."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import pytest
import pytest_asyncio

from gateway.admission.session_digest import session_digest
from gateway.artifact.stop_file import Stops
from gateway.artifact.stops_bundle import Kind
from gateway.hub.stop_store import new_stop
from tests.faults.behind import Behind, answered, standing
from tests.faults.hubbed import why
from tests.faults.wire import LEGACY_POST, Got
from tests.running import ANYONE, until
from tests.servers.scripted import Received, Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOPPED: Final = "nothing_is_stopped"
TOOLS: Final = {"echo": {"action": "read"}, "delete": {"action": "delete"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    agent = {**ANYONE, "kind": "cursor", "labels": ["support"]}
    place = tmp_path_factory.mktemp("gateway")
    files = {"agents/anyone.yaml": agent}
    async with standing(place, files=files, tools=TOOLS, tags=["messaging"]) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def behind(shared: Behind) -> AsyncGenerator[Behind]:
    """The shared gateway, with nothing stopped before and afterwards."""
    shared.server.begin()
    await is_answered(shared, "", "echo")
    yield shared
    for made in kept(shared).standing().stops:
        kept(shared).lift(made.id, time.time_ns())
    for tool in TOOLS:
        await is_answered(shared, "", tool)


def kept(behind: Behind) -> Stops:
    return Stops(behind.gateway.root / "state")


def stop(behind: Behind, chosen: Mapping[Kind, str]) -> None:
    now = time.time_ns()
    made = new_stop(chosen, for_s=600, because="It went rogue.", about=("alice@example.com", now))
    assert not isinstance(kept(behind).add(made, now), str)


async def is_answered(behind: Behind, reason: str, tool: str, *more: Any) -> str:
    """Wait until a call is refused by this requirement, or allowed if it is empty; return the answer's text."""
    last: Got = Got()

    async def found() -> bool | None:
        nonlocal last
        last = await behind.line.called(tool, None, *more)
        return why(last) == reason or None

    await until(found, lambda: f"{tool} is answered {why(last)!r}, not {reason!r}")
    return last.body.decode()


async def listed(behind: Behind) -> list[str]:
    tools = (await behind.line.legacy("tools/list")).message["result"]["tools"]
    return [tool["name"] for tool in tools]


@pytest.mark.parametrize(
    "chosen",
    [{"kind": "cursor"}, {"label": "support"}, {"tag": "messaging"}, {"agent": "anyone"}, {"server": "s"}, {}],
    ids=lambda chosen: next(iter(chosen), "alone"),
)
async def test_an_action_is_stopped_for_whom_the_other_selector_matches(
    behind: Behind, chosen: dict[Kind, str]
) -> None:
    stop(behind, {**chosen, "action": "delete"})
    text = await is_answered(behind, STOPPED, "delete")
    assert "action delete" in text
    assert all(f"{kind} {name}" in text for kind, name in chosen.items())
    await is_answered(behind, "", "echo")
    assert await listed(behind) == ["echo"]


@pytest.mark.parametrize("chosen", [{"kind": "vscode"}, {"label": "sales"}, {"tag": "code"}, {"agent": "bob"}])
async def test_nothing_is_stopped_if_one_selector_does_not_match(behind: Behind, chosen: dict[Kind, str]) -> None:
    stop(behind, {**chosen, "action": "delete"})
    stop(behind, {"target": "s/echo"})
    await is_answered(behind, STOPPED, "echo")
    await is_answered(behind, "", "delete")
    assert await listed(behind) == ["delete"]


async def test_one_session_is_stopped_by_the_digest_that_the_journal_has(behind: Behind) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}

    def reply(received: Received) -> Script:
        if received.body and received.json.get("method") == "initialize":
            (head,) = answered(received, hello)
            assert isinstance(head, bytes)
            return [head.replace(b"\r\n\r\n", b"\r\nMcp-Session-Id: up\r\n\r\n", 1)]
        return answered(received, {"content": []})

    behind.server.reply = reply
    params: dict[str, Any] = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "a", "version": "1"},
    }
    ids = [(await behind.line.legacy("initialize", params)).headers["mcp-session-id"] for _ in range(2)]

    async def call(session: str) -> str:
        params: dict[str, Any] = {"name": "echo", "arguments": {}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = (*LEGACY_POST, ("Mcp-Session-Id", session))
        return why(await behind.line.post(json.dumps(body).encode(), *headers))

    assert [await call(session) for session in ids] == ["", ""]
    digest = next(one["session"] for one in reversed(behind.gateway.records("decided")) if one.get("session"))
    assert digest == session_digest(ids[1])
    stop(behind, {"session": digest})

    async def felt() -> bool | None:
        return await call(ids[1]) == STOPPED or None

    await until(felt, lambda: "the session is not stopped")
    assert await call(ids[0]) == ""
    await is_answered(behind, "", "echo")


async def test_a_dry_run_counts_what_would_be_refused_and_stops_nothing(behind: Behind) -> None:
    before = kept(behind).standing()
    for _ in range(3):
        await is_answered(behind, "", "delete")
    code, out = await command(behind, "--kind", "cursor", "--action", "delete")
    assert code == 0, out
    assert "at most 1 of 1 agents" in out
    calls = [one for one in behind.gateway.records("decided") if one["outcome"] == "allow"]
    hit = sum(one["target"].get("name") == "delete" for one in calls)
    assert hit >= 3
    assert f"{hit} of " in out
    assert f"{hit} of them calls" in out
    code, out = await command(behind, "--agent", "bob")
    assert "0 of 1 agents" in out
    assert "  0 of " in out
    assert kept(behind).standing() == before
    await is_answered(behind, "", "delete")


async def command(behind: Behind, *words: str) -> tuple[int, str]:
    """Run a dry run for the gateway's settings, and return its exit code and what it printed."""
    config = str(behind.gateway.root / "settings.yaml")
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "gateway", "stop", *words, "--dry-run", "--config", config],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
