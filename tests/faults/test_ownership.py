"""Two callers on one server behind two workers: neither cancels a call of the other, nor reads or cancels its task.

Rule 1: the server keeps no sessions and cannot tell the callers apart, so only the gateway can.
Rule 2: every message comes on a connection of its own, and the kernel chooses its worker: what must hold in every
worker is tried often enough that both are met.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest
import pytest_asyncio

from gateway.identity.tokens import digest, token
from tests.faults.behind import Behind, answered, standing
from tests.faults.wire import LEGACY_POST, Got
from tests.running import until
from tests.servers.scripted import Received, Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN: Final = token(b"a" * 32)
BEN: Final = token(b"b" * 32)
OFTEN: Final = 12
TASK: Final = "task-1"


def agent(name: str, known: str) -> dict[str, Any]:
    tokens = [{"sha256": digest(known), "holder": f"{name}@example.com", "expires": "2099-01-01T00:00:00Z"}]
    return {"agent": name, "owner": "test@example.com", "purpose": "tests", "kind": "test", "tokens": tokens}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    """A gateway with two workers that knows both callers, before a server with tasks."""
    files = {"agents/ann.yaml": agent("ann", ANN), "agents/ben.yaml": agent("ben", BEN)}
    settings = {"workers": 2, "identity": {"anonymous": False}}
    root = tmp_path_factory.mktemp("gateway")
    async with standing(root, files=files, settings=settings, tasks={"action": "write"}) as made:
        for caller in (ANN, BEN) * 4:
            got = await asked(made, caller, "tools/call", {"name": "echo", "arguments": {}})
            assert not got.message["result"].get("isError"), got
        yield made


async def sent(behind: Behind, caller: str, message: dict[str, Any]) -> Got:
    return await behind.line.post(json.dumps(message).encode(), *LEGACY_POST, ("Authorization", f"Bearer {caller}"))


async def asked(behind: Behind, caller: str, method: str, params: dict[str, Any], request_id: str | int = 1) -> Got:
    return await sent(behind, caller, {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def arrived(behind: Behind, method: str) -> list[Any]:
    """Return the params of the messages of a method that reached the server."""
    messages = [received.json for received in behind.server.effects if received.body]
    return [message["params"] for message in messages if message["method"] == method]


async def test_only_the_caller_of_a_call_cancels_it_by_whichever_worker(behind: Behind) -> None:
    behind.server.begin()
    gate = asyncio.Event()

    def reply(received: Received) -> Script:
        waits = [gate] if received.json["method"] == "tools/call" else []
        return [*waits, *answered(received, {"content": []})]

    behind.server.reply = reply
    running = asyncio.create_task(asked(behind, ANN, "tools/call", {"name": "echo", "arguments": {}}, "slow"))

    async def begun() -> bool | None:
        return True if arrived(behind, "tools/call") else None

    await until(begun, lambda: "the call did not reach the server")
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}}
    for _ in range(OFTEN):
        assert (await sent(behind, BEN, cancel)).status == 202
    assert arrived(behind, "notifications/cancelled") == []
    for _ in range(OFTEN):
        assert (await sent(behind, ANN, cancel)).status == 202
    assert arrived(behind, "notifications/cancelled") == [{"requestId": "slow"}] * OFTEN
    assert not running.done()
    gate.set()
    assert "error" not in (await running).message
    refused = [record for record in behind.gateway.records("refused") if record["code"] == "request_not_own"]
    assert {record["principal"]["credential_sha256"] for record in refused} == {digest(BEN)}
    assert {record["method"] for record in refused if record["method"]} == {"notifications/cancelled"}


async def test_a_call_that_is_over_or_of_another_id_is_not_canceled(behind: Behind) -> None:
    behind.server.begin()
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}}
    for _ in range(OFTEN):
        assert (await sent(behind, ANN, cancel)).status == 202
    assert arrived(behind, "notifications/cancelled") == []


async def test_a_task_is_read_listed_and_canceled_by_its_owner_only(behind: Behind) -> None:
    behind.server.begin()

    def reply(received: Received) -> Script:
        task = {"taskId": TASK, "status": "working", "statusMessage": "of ann"}
        results = {"tools/call": {"task": task}, "tasks/list": {"tasks": [task]}}
        return answered(received, results.get(received.json["method"], task))

    behind.server.reply = reply
    params = {"name": "echo", "arguments": {}, "task": {"ttl": 60_000}}
    created = (await asked(behind, ANN, "tools/call", params)).message["result"]["task"]["taskId"]
    assert created != TASK
    for method in ("tasks/get", "tasks/result", "tasks/cancel"):
        for named in (created, TASK) * 3:
            got = await asked(behind, BEN, method, {"taskId": named})
            assert (got.status, got.message["error"]["code"]) == (200, -32602)
            assert b"of ann" not in got.body
        assert arrived(behind, method) == []
        got = await asked(behind, ANN, method, {"taskId": created})
        assert got.message["result"]["taskId"] == created
        assert arrived(behind, method) == [{"taskId": TASK}]
    for _ in range(OFTEN):
        theirs = (await asked(behind, ANN, "tasks/list", {})).message["result"]["tasks"]
        assert [task["taskId"] for task in theirs] == [created]
        assert (await asked(behind, BEN, "tasks/list", {})).message["result"]["tasks"] == []
    refused = [record for record in behind.gateway.records("refused") if record["code"] == "task_unknown"]
    assert {record["principal"]["credential_sha256"] for record in refused} == {digest(BEN)}


async def test_tasks_are_neither_announced_nor_delivered_where_the_catalog_lists_none(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with standing(tmp_path_factory.mktemp("gateway")) as made:
        offered: dict[str, Any] = {
            "tools": {},
            "tasks": {"list": {}},
            "extensions": {"io.modelcontextprotocol/tasks": {}},
        }
        connected: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": offered}

        def reply(received: Received) -> Script:
            task = {"task": {"taskId": TASK, "status": "working"}}
            return answered(received, connected if received.json["method"] == "initialize" else task)

        made.server.reply = reply
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
        got = (await made.line.legacy("initialize", hello)).message["result"]
        assert got["capabilities"] == {"tools": {}, "extensions": {}}
        params: dict[str, Any] = {"name": "echo", "arguments": {}}
        calls = len(arrived(made, "tools/call"))
        got = await made.line.legacy("tools/call", {**params, "task": {}})
        assert got.reason == "policy_denied"
        assert len(arrived(made, "tools/call")) == calls
        got = await made.line.legacy("tools/call", params)
        assert got.reason == "policy_denied"
        assert "its answer is withheld" in got.message["result"]["content"][0]["text"]
        assert len(arrived(made, "tools/call")) == calls + 1
        assert TASK.encode() not in got.body
