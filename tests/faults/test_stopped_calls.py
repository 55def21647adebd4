"""Calls that run while they are stopped, over real processes: they end upstream, and their session goes on."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

import pytest
import pytest_asyncio

from gateway.artifact.stop_file import Stops
from gateway.hub.stop_store import new_stop
from tests.faults.behind import Behind, answered, standing
from tests.faults.wire import LEGACY_POST, Got, modern, request
from tests.running import OPEN, until
from tests.servers.scripted import Do, Received, Script, events

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEWS: Final = b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}\n\n'
HALF: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
SESSION: Final = "Mcp-Session-Id: upstream-1\r\n"
FORMS: Final[dict[str, Script]] = {
    "head": [Do.HANG],
    "json": [HALF, Do.HANG],
    "sse": [*events(NEWS, end=False), Do.HANG],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    async with standing(
        tmp_path_factory.mktemp("gateway"), settings={"workers": 2}, timeout_s=300, tasks={"action": "write"}
    ) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def behind(shared: Behind) -> AsyncGenerator[Behind]:
    """The shared gateway, whose server hangs in every call, with nothing stopped before and afterwards."""
    shared.server.begin()
    await allowed(shared)
    shared.server.begin()
    yield shared
    for stop in kept(shared).standing().stops:
        kept(shared).lift(stop.id, time.time_ns())
    shared.server.begin()
    await allowed(shared)


def kept(behind: Behind) -> Stops:
    return Stops(behind.gateway.root / "state")


def stop(behind: Behind) -> None:
    now = time.time_ns()
    made = new_stop({"agent": "anyone"}, for_s=600, because="It went rogue.", about=("alice@example.com", now))
    assert not isinstance(kept(behind).add(made, now), str)


async def allowed(behind: Behind) -> None:
    """Wait until every worker allows calls."""

    async def found() -> bool | None:
        got = [(await behind.line.called()).reason for _ in range(6)]
        return got == [""] * 6 or None

    await until(found, lambda: "calls are refused")


def hanging(behind: Behind, form: str) -> None:
    """Let calls hang; what else is asked is answered."""

    def reply(received: Received) -> Script:
        if received.body and received.json.get("method") == "tools/call":
            return FORMS[form]
        return answered(received, {})

    behind.server.reply = reply


async def call(behind: Behind, era: str, **params: Any) -> Got:
    content: dict[str, Any] = {"name": "echo", "arguments": {"text": "x"}, **params}
    if era == "legacy":
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": content}).encode()
        return await behind.line.post(body, *LEGACY_POST)
    body = json.dumps(request("tools/call", content, id=7)).encode()
    return await behind.line.post(body, *modern("tools/call", "echo"))


async def reached(behind: Behind, method: str = "tools/call") -> Received:
    """Wait until a message with this method has reached the server, and return it."""

    async def found() -> Received | None:
        effects = [one for one in behind.server.effects if one.body]
        return next((one for one in effects if one.json.get("method") == method), None)

    message = await until(found, lambda: f"no {method} has reached the server")
    assert isinstance(message, Received)
    return message


async def ended(behind: Behind, before: int) -> dict[str, Any]:
    """Wait for the record of a call that was stopped."""

    async def found() -> dict[str, Any] | None:
        records = [one for one in behind.gateway.records("completed") if one["outcome"] == "stopped"]
        return records[-1] if len(records) > before else None

    return dict(await until(found, lambda: "nothing was recorded as stopped"))


def stopped_before(behind: Behind) -> int:
    return sum(one["outcome"] == "stopped" for one in behind.gateway.records("completed"))


def refused(got: Got) -> dict[str, Any]:
    """Return the machine data of a tool error that says that the call was sent."""
    assert got.status == 200
    assert got.finished
    messages = [json.loads(line[6:]) for line in got.body.split(b"\n") if line.startswith(b"data: ")]
    message = messages[-1] if messages else got.message
    assert message["id"] == 7
    result = message["result"]
    assert result["isError"]
    assert "its outcome is unknown" in result["content"][0]["text"]
    return dict(result["_meta"]["dev.admission/decision"])


async def cut(behind: Behind, act: Callable[[], object], what: str) -> None:
    """Act, wait until the server sees its connection closed, and print how long that took."""
    began = time.monotonic()
    act()
    await asyncio.wait_for(behind.server.cut.wait(), 60)
    print(f"{what}: upstream closed after {(time.monotonic() - began) * 1000:.0f} ms")  # noqa: T201 - a figure to be read


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_stop_ends_a_call_that_runs_and_its_session_goes_on(behind: Behind, era: str, form: str) -> None:
    before = stopped_before(behind)
    hanging(behind, form)
    running = asyncio.ensure_future(call(behind, era))
    await reached(behind)
    await cut(behind, lambda: stop(behind), f"{era} call answered by {form}")
    data = refused(await running)
    assert (data["code"], data["reasons"][0]["requirement"]) == ("stopped", "nothing_is_stopped")
    record = await ended(behind, before)
    assert "nothing_is_stopped (decision " in record["detail"]
    if era == "legacy":
        told = (await reached(behind, "notifications/cancelled")).json
        assert told["params"]["requestId"] == 7
    for one in kept(behind).standing().stops:
        kept(behind).lift(one.id, time.time_ns())
    behind.server.begin()
    await allowed(behind)


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_stop_cancels_the_task_that_a_call_began(behind: Behind, era: str) -> None:
    task = {"taskId": "t-1", "status": "working", "ttl": 600_000}
    result = {"task": task} if era == "legacy" else {"resultType": "task", **task}
    behind.server.reply = lambda received: answered(received, result)
    got = await call(behind, era, **({"task": {"ttl": 600_000}} if era == "legacy" else {}))
    assert got.reason == "", got.body
    before, began = stopped_before(behind), time.monotonic()
    stop(behind)
    told = await reached(behind, "tasks/cancel")
    print(f"{era} task: canceled after {(time.monotonic() - began) * 1000:.0f} ms")  # noqa: T201 - a figure to be read
    assert told.json["params"]["taskId"] == "t-1"
    assert "its cancellation was requested" in (await ended(behind, before))["detail"]


async def test_a_new_policy_ends_the_calls_that_it_refuses(behind: Behind) -> None:
    hanging(behind, "sse")
    running = asyncio.ensure_future(call(behind, "modern"))
    await reached(behind)
    note = {"rule": "no-x", "effect": "deny", "reason": "No more.", "owner": "test@example.com"}
    deny = {"rules": [*OPEN["rules"], {**note, "arguments": [{"path": "/text", "equals": "x"}]}]}
    try:
        await cut(behind, lambda: behind.gateway.save("rules/open.yaml", deny), "a new policy")
        assert refused(await running)["reasons"][0]["requirement"] == "rules_permit"
    finally:
        behind.gateway.save("rules/open.yaml", OPEN)


async def test_a_restart_of_opa_ends_no_call(behind: Behind) -> None:
    going_on = asyncio.Event()
    behind.server.reply = lambda received: [going_on, *answered(received, {"content": [], "resultType": "complete"})]
    running = asyncio.ensure_future(call(behind, "modern"))
    await reached(behind)
    before = len(behind.pids("opa_started"))
    os.kill(behind.pids("opa_started")[-1], signal.SIGKILL)

    async def again() -> bool | None:
        return len(behind.pids("opa_started")) > before or None

    await until(again, lambda: "OPA is not started again")
    await behind.gateway.ready()
    assert not running.done()
    going_on.set()
    assert (await running).message["result"]["content"] == []


async def test_a_call_that_is_not_stopped_runs_on(behind: Behind) -> None:
    going_on = asyncio.Event()
    behind.server.reply = lambda received: [going_on, *answered(received, {"content": [], "resultType": "complete"})]
    running = asyncio.ensure_future(call(behind, "modern"))
    await reached(behind)
    now = time.time_ns()
    kept(behind).add(new_stop({"target": "s/delete"}, for_s=600, because="Flood.", about=("alice", now)), now)

    async def felt() -> bool | None:
        return (await behind.line.called("delete")).reason == "policy_denied" or None

    await until(felt, lambda: "the stop is not felt")
    assert not running.done()
    going_on.set()
    assert (await running).message["result"]["content"] == []
