"""The whole gateway while its processes are killed and stopped: what callers get, and that nothing slips through."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from tests.running import Gateway, catalog, running, until
from tests.servers.fixtures import recorder, recording_process
from tests.servers.recording import Recorder
from tests.stopping import stop
from tests.unit.supervisor.support import alive

MODERN: Final = "2026-07-28"
META: Final = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "faults", "version": "1"},
}
__all__ = ["recorder", "recording_process"]
HEADERS: Final = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": MODERN}


class Caller:
    """A client of one gateway, and a look at its processes through its log."""

    def __init__(self, gateway: Gateway, http: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self._http = http

    async def echo(self, text: str) -> dict[str, Any]:
        """Return the result of calling `echo`."""
        answer = await self.post("tools/call", {"name": "echo", "arguments": {"text": text}}, {"Mcp-Name": "echo"})
        return _message(answer)["result"]

    async def post(self, method: str, params: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params | {"_meta": META}}
        sent = HEADERS | {"Mcp-Method": method} | headers
        return await self._http.post(self.gateway.url("notes"), json=body, headers=sent, timeout=30)

    async def echoed(self, text: str) -> None:
        """Wait until a call is allowed and answered."""

        last: list[dict[str, Any]] = [{}]

        async def answered() -> bool | None:
            last[0] = await self.echo(text)
            return None if last[0].get("isError") else True

        await until(answered, lambda: f"no call is allowed: {last[0]}")

    def pids(self, event: str) -> list[int]:
        """Return the process ids in events of the log, in their order."""
        lines = self.gateway.log.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if f'"message":"{event}"' in line]
        return [int(line["fields"]["pid"]) for line in found]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def calling(directory: Path, upstream: Recorder) -> AsyncGenerator[Caller]:
    """A caller of a gateway that is ready and was called once."""
    entry = catalog("notes", upstream.url, tools={"echo": {"action": "read"}})
    hasty = {"opa": {"deadline_ms": 250}}
    async with (
        running(directory, servers={"notes": entry}, settings=hasty) as gateway,
        httpx.AsyncClient() as http,
    ):
        caller = Caller(gateway, http)
        await caller.echoed("warm")
        yield caller


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, recording_process: Recorder) -> AsyncGenerator[Caller]:
    async with calling(tmp_path_factory.mktemp("gateway"), recording_process) as caller:
        yield caller


@pytest_asyncio.fixture(loop_scope="module")
async def caller(shared: Caller) -> Caller:
    """The caller of the shared gateway, whatever the test before has done to it."""
    await shared.gateway.ready()
    await shared.echoed("warm")
    return shared


async def test_nothing_reaches_the_server_while_opa_is_stopped(caller: Caller, recorder: Recorder) -> None:
    opa = caller.pids("opa_started")[-1]
    stop(opa)
    recorder.clear()
    try:
        results = [await caller.echo(f"stopped {number}") for number in range(12)]
    finally:
        os.kill(opa, signal.SIGCONT)
    assert all(_refused(result) == "policy_unavailable" for result in results)
    assert recorder.calls("tools/call") == []
    await caller.echoed("again")


async def test_a_killed_opa_refuses_calls_until_its_successor_decides(caller: Caller, recorder: Recorder) -> None:
    opa = caller.pids("opa_started")[-1]
    recorder.clear()
    results = asyncio.gather(*(_echoes(caller, f"{number}", 25) for number in range(4)))
    os.kill(opa, signal.SIGKILL)
    outcomes = [result for some in await results for result in some]
    refusals = {_refused(result) for result in outcomes if result.get("isError")}
    assert refusals <= {"policy_unavailable"}
    allowed = sum(not result.get("isError") for result in outcomes)
    assert len(recorder.calls("tools/call")) == allowed
    await caller.echoed("again")
    assert caller.pids("opa_started")[-1] != opa


async def test_discovery_while_opa_is_away_asks_to_come_back(caller: Caller) -> None:
    opa = caller.pids("opa_started")[-1]
    stop(opa)
    try:
        answer = await caller.post("server/discover", {}, {})
    finally:
        os.kill(opa, signal.SIGCONT)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


async def test_not_ready_says_so_while_opa_is_away(caller: Caller) -> None:
    opa = caller.pids("opa_started")[-1]
    stop(opa)

    async def missing() -> dict[str, Any] | None:
        told = await caller.gateway.readiness()
        return told if not told.get("ready") else None

    try:
        told = await until(missing, lambda: "still ready")
    finally:
        os.kill(opa, signal.SIGCONT)
    assert "decision (policy_unavailable" in told["missing"]["worker 0"]
    await caller.gateway.ready()


async def test_a_killed_worker_is_replaced_and_its_journal_is_whole(caller: Caller) -> None:
    worker = caller.pids("worker_started")[-1]
    started = len(caller.pids("worker_started"))
    os.kill(worker, signal.SIGKILL)
    await until(lambda: _more(caller, "worker_started", started), lambda: "no new worker")
    await caller.gateway.ready()
    await caller.echoed("again")
    assert {record["kind"] for record in caller.gateway.records()} >= {"decided", "completed"}


async def test_nothing_survives_a_killed_gateway(tmp_path: Path, recorder: Recorder) -> None:
    async with calling(tmp_path, recorder) as caller:
        pids = caller.pids("opa_started") + caller.pids("worker_started")
        assert all(alive(pid) for pid in pids)
        caller.gateway.process.kill()

        async def gone() -> bool | None:
            return None if any(alive(pid) for pid in pids) else True

        await until(gone, lambda: "something lives on")


async def _more(caller: Caller, event: str, count: int) -> bool | None:
    return True if len(caller.pids(event)) > count else None


async def _echoes(caller: Caller, text: str, count: int) -> list[dict[str, Any]]:
    return [await caller.echo(f"{text} {number}") for number in range(count)]


def _refused(result: dict[str, Any]) -> str:
    """Return the public reason code of a refused call."""
    assert result["isError"] is True
    return next(code for code in ("policy_unavailable", "policy_error", "rules_permit") if code in json.dumps(result))


def _message(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON-RPC answer, alone or at the end of a stream."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        return json.loads([line for line in answer.text.splitlines() if line.startswith("data: ")][-1][6:])
    return dict(answer.json())
