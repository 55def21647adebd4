"""Whatever refuses calls is in the log of the gateway, with its cause and what to do, and so is its end."""

import asyncio
import json
import os
import signal
import stat
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest

from tests.contract.recipes import free_port
from tests.faults.test_changed_lists import CHANGED, two_workers
from tests.faults.test_journal_faults import fill
from tests.faults.test_journal_faults import small as small  # noqa: PLC0414 - a fixture
from tests.faults.test_opa_gateway import Caller
from tests.faults.wire import LEGACY_POST
from tests.running import Gateway, catalog, running, until
from tests.servers.fixtures import recorder, recording_process
from tests.servers.recording import Recorder
from tests.stopping import stop

__all__ = ["recorder", "recording_process"]
LIST: Final = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})


def logged(gateway: Gateway, event: str, **fields: Any) -> list[dict[str, Any]]:
    """Return the fields of the events of this name that have these fields."""
    lines = [json.loads(line) for line in gateway.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    found = [line["fields"] | {"level": line["level"]} for line in lines if line["message"] == event]
    return [each for each in found if all(each.get(name) == value for name, value in fields.items())]


async def appears(gateway: Gateway, event: str, **fields: Any) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found = logged(gateway, event, **fields)
        return found[-1] if found else None

    return await until(look, lambda: f"{event} is not logged: {gateway.log.read_text(encoding='utf-8')[-4000:]}")


def served(upstream: Recorder) -> dict[str, Any]:
    return {"notes": catalog("notes", upstream.url, tools={"echo": {"action": "read"}})}


@pytest.mark.environment("tmpfs")
async def test_a_full_journal_disk_is_logged_before_and_at_the_first_call_and_its_end_too(
    small: Path, tmp_path: Path, recorder: Recorder
) -> None:
    journal = {"directory": str(small / "journal"), "segment_mib": 1, "segment_age_s": 1, "masking": "full"}
    async with (
        running(tmp_path, servers=served(recorder), settings={"journal": journal}) as gateway,
        httpx.AsyncClient() as http,
    ):
        caller = Caller(gateway, http)
        await caller.echoed("warm")
        ballast = await asyncio.to_thread(fill, small)
        unready = await appears(gateway, "worker_unready")
        assert "journal (" in unready["missing"]
        assert "No space left on device" in unready["missing"]
        assert "free space for `journal.directory`" in unready["remedy"]

        async def refused() -> bool | None:
            return (await caller.echo("full " * 1_000)).get("isError") or None

        # The space that the open segment has reserved is used up first.
        await until(refused, lambda: "no call is refused")
        said = await appears(gateway, "calls_refused", code="journal_unavailable")
        assert said["level"] == "warning"
        assert "No space left on device" in said["detail"]
        for _ in range(5):
            await caller.echo("full")
        assert len(logged(gateway, "calls_refused", code="journal_unavailable")) == 1
        await asyncio.to_thread(ballast.unlink)
        await appears(gateway, "worker_ready")
        await caller.echoed("again")


async def test_a_journal_that_others_may_enter_is_logged_with_what_to_do(tmp_path: Path, recorder: Recorder) -> None:
    journal = tmp_path / "journal"
    await asyncio.to_thread(journal.mkdir, 0o755)
    settings = {"journal": {"directory": str(journal)}}
    async with running(tmp_path, servers=served(recorder), settings=settings, ready=False) as gateway:
        unready = await appears(gateway, "worker_unready")
        assert f"{journal}: other users can access it (mode 0755): run chmod 700 on it" in unready["missing"]
        await asyncio.to_thread(journal.chmod, stat.S_IRWXU)
        await appears(gateway, "worker_ready")


async def test_a_lost_opa_is_logged_and_its_end_too(tmp_path: Path, recorder: Recorder) -> None:
    async with (
        running(tmp_path, servers=served(recorder), settings={"opa": {"deadline_ms": 250}}) as gateway,
        httpx.AsyncClient() as http,
    ):
        caller = Caller(gateway, http)
        await caller.echoed("warm")
        opa = caller.pids("opa_started")[-1]
        stop(opa)
        try:
            for _ in range(5):
                assert (await caller.echo("stopped"))["isError"]
            said = await appears(gateway, "calls_refused", code="policy_unavailable")
            assert said["reason"] == "OPA does not give a usable answer"
            assert "OPA" in said["remedy"]
            assert "OPA" in said["detail"]
            unready = await appears(gateway, "worker_unready")
            assert "decision (policy_unavailable" in unready["missing"]
        finally:
            os.kill(opa, signal.SIGCONT)
        await appears(gateway, "worker_ready")
        assert len(logged(gateway, "calls_refused", code="policy_unavailable")) == 1


async def test_a_server_that_is_away_is_logged_by_its_name(tmp_path: Path) -> None:
    server = catalog("notes", "http://127.0.0.1:9/mcp", tools={"echo": {"action": "read"}})
    async with running(tmp_path, servers={"notes": server}) as gateway, httpx.AsyncClient() as http:
        await Caller(gateway, http).post("tools/call", {"name": "echo", "arguments": {}}, {"Mcp-Name": "echo"})
        said = await appears(gateway, "calls_refused", code="upstream_unavailable")
        assert "cannot be reached" in said["reason"]


async def test_a_changed_tool_that_is_hidden_is_logged_once_for_both_workers(tmp_path: Path) -> None:
    async with two_workers(tmp_path) as (server, behind):
        server.tool = CHANGED
        for _ in range(20):
            listed = await behind.line.post(LIST, *LEGACY_POST)
            assert [tool["name"] for tool in listed.message["result"]["tools"]] == ["delete"]
        said = await appears(behind.gateway, "definition_refused")
        assert (said["server"], said["target"], said["level"]) == ("s", "echo", "warning")
        assert "catalog diff" in said["remedy"]
        assert len(logged(behind.gateway, "definition_refused")) == 1


async def test_an_issuer_whose_keys_cannot_be_had_is_logged_with_its_address(
    tmp_path: Path, recorder: Recorder
) -> None:
    issuer = {"issuer": "https://id.example", "keys_url": "http://127.0.0.1:9/keys"}
    settings = {"listen": {"port": free_port()}, "identity": {"anonymous": True, "issuers": [issuer]}}
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.c2ln"
    async with running(tmp_path, servers=served(recorder), settings=settings) as gateway, httpx.AsyncClient() as http:
        for _ in range(3):
            await Caller(gateway, http).post("tools/list", {}, {"Authorization": f"Bearer {token}"})
        said = await appears(gateway, "calls_refused", code="keys_unavailable")
        assert "key set of an issuer" in said["reason"]
        about = await appears(gateway, "log", logger="gateway.identity.jwks_fetch")
        assert about["url"] == "http://127.0.0.1:9/keys"
        assert "keys_url" in about["remedy"]
