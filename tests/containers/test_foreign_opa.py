"""A gateway whose OPA is another team's: over TCP with TLS and a token, killed and replaced during calls."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from mcp import Client
from msgspec import Struct

from tests.containers.foreign import ENVIRONMENT, ForeignOpa, foreign
from tests.running import OPEN, Gateway, catalog, running, until, write_environment
from tests.servers.fixtures import recorder, recording_process
from tests.servers.recording import Recorder

__all__ = ["recorder", "recording_process"]
pytestmark = [pytest.mark.environment("docker"), pytest.mark.asyncio(loop_scope="module")]

CLOSED: Final[dict[str, Any]] = {
    "rules": [
        *OPEN["rules"],
        {
            "rule": "nobody-deletes",
            "effect": "deny",
            "what": {"actions": ["delete"]},
            "reason": "kept by that team",
            "owner": "test@example.com",
        },
    ]
}
"""The policy of the OPA in the container. The gateway's own directory allows everything, and counts for nothing."""
TOOLS: Final = {"echo": {"action": "read"}, "delete_note": {"action": "delete"}}


class Stage(Struct, frozen=True):
    """The OPA in its container, and a gateway that uses it."""

    opa: ForeignOpa
    gateway: Gateway

    async def replaced(self) -> str:
        """Start the next OPA, with the next sequence number, and wait until the gateway enforces it; its revision."""
        revision = await asyncio.to_thread(self.opa.start, self.opa.latest + 1)

        async def enforced() -> bool | None:
            told = await self.gateway.readiness()
            return True if told.get("ready") and await self.gateway.revision() == revision else None

        await until(enforced, lambda: f"{revision} is not enforced: {self.opa.log()}")
        return revision

    async def missing(self, what: str) -> None:
        """Wait until the gateway is not ready, for this reason."""
        told: dict[str, Any] = {}

        async def lacks() -> bool | None:
            told.update(await self.gateway.readiness())
            return True if not told.get("ready") and what in str(told.get("missing")) else None

        await until(lacks, lambda: f"it does not lack {what}: {told}")


@pytest.fixture(scope="module")
def opa(tmp_path_factory: pytest.TempPathFactory, recording_process: Recorder) -> Generator[ForeignOpa]:
    policy = tmp_path_factory.mktemp("policy")
    directory = policy / "bundles" / ENVIRONMENT
    write_environment(directory, _servers(recording_process), {"rules/open.yaml": CLOSED}, ENVIRONMENT)
    with foreign(tmp_path_factory.mktemp("opa"), policy) as opa:
        yield opa


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    tmp_path_factory: pytest.TempPathFactory, opa: ForeignOpa, recording_process: Recorder
) -> AsyncGenerator[Stage]:
    root = tmp_path_factory.mktemp("gateway")
    await asyncio.to_thread(opa.start, 2)
    async with running(root, servers=_servers(recording_process), settings={"opa": opa.settings}) as gateway:
        yield Stage(opa, gateway)


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared: Stage) -> Stage:
    """The gateway and an OPA that decides, whatever the test before has done to it."""
    if not shared.opa.running:
        await shared.replaced()
    await shared.gateway.ready()
    return shared


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_one_call_is_allowed_and_one_refused_by_the_policy_of_the_container(
    stage: Stage, recorder: Recorder, mode: Any
) -> None:
    async with Client(stage.gateway.url("notes"), mode=mode) as client:
        assert await _echoed(client, "allowed") == ""
        recorder.clear()
        refused = (await client.call_tool("delete_note", {"name": "kept"})).model_dump_json()
    assert "rules_permit" in refused
    assert "kept by that team" in refused
    assert recorder.calls("tools/call") == []
    decided = [record for record in stage.gateway.records("decided") if record["method"] == "tools/call"][-2:]
    assert [(record["target"]["name"], record["outcome"]) for record in decided] == [
        ("echo", "allow"),
        ("delete_note", "deny"),
    ]
    assert {record["revision"] for record in decided} == {stage.opa.bundle(stage.opa.latest).revision}


async def test_with_a_wrong_token_the_gateway_is_not_ready_and_nothing_is_forwarded(
    tmp_path: Path, stage: Stage, recorder: Recorder
) -> None:
    wrong = tmp_path / "guessed"
    wrong.write_text("guessed", encoding="ascii")
    settings = {"opa": stage.opa.settings | {"token_file": str(wrong)}}
    async with running(tmp_path, servers=_servers(recorder), settings=settings, ready=False) as gateway:
        await Stage(stage.opa, gateway).missing("policy_unavailable: OPA returned HTTP 401")
        assert "policy_unavailable" in await _called(gateway)
        assert {record["outcome"] for record in gateway.records("decided")} == {"deny"}
    assert recorder.arrived == []


async def test_calls_while_the_container_is_killed_are_refused_and_only_allowed_ones_arrive(
    stage: Stage, recorder: Recorder
) -> None:
    async with Client(stage.gateway.url("notes")) as client, asyncio.timeout(30):
        assert await _echoed(client, "before") == ""  # with its first result the SDK asks for the list of tools, too
        recorder.clear()
        begun = asyncio.Event()
        calling = asyncio.gather(*(_until_refused(client, begun) for _ in range(4)))
        await begun.wait()
        await asyncio.to_thread(stage.opa.kill)
        allowed, refusals = map(sum, zip(*await calling, strict=True))
        assert allowed > 0
        assert refusals == 4
        assert len(recorder.calls("tools/call")) == allowed
        recorder.clear()
        assert {await _echoed(client, "nobody decides") for _ in range(12)} == {"policy_unavailable"}
        assert recorder.arrived == []
        await stage.missing("policy_unavailable")


async def test_a_session_outlives_the_container_and_is_served_again_after_its_replacement(
    stage: Stage, recorder: Recorder
) -> None:
    async with Client(stage.gateway.url("notes"), mode="legacy") as client:
        assert await _echoed(client, "before") == ""
        await asyncio.to_thread(stage.opa.kill)
        assert await _echoed(client, "meanwhile") == "policy_unavailable"
        before, after = stage.opa.latest, await stage.replaced()
        assert after == stage.opa.bundle(before + 1).revision
        assert await _echoed(client, "after") == ""
    texts = [params["arguments"]["text"] for params in recorder.calls("tools/call")]
    assert texts == ["before", "after"]
    assert len(recorder.calls("initialize")) == 1
    calls = [arrived for arrived in recorder.arrived if arrived.method == "tools/call"]
    assert len({arrived.headers["mcp-session-id"] for arrived in calls}) == 1


async def test_a_replacement_with_an_older_policy_is_refused_until_a_newer_one_comes(
    stage: Stage, recorder: Recorder
) -> None:
    enforced = stage.opa.latest
    async with Client(stage.gateway.url("notes")) as client:
        assert await _echoed(client, "before") == ""
        recorder.clear()
        await asyncio.to_thread(stage.opa.start, enforced - 1)
        await stage.missing("policy_regressed")
        assert await _echoed(client, "by an older policy") == "policy_regressed"
        assert recorder.arrived == []
        await stage.replaced()
        assert await _echoed(client, "by a newer policy") == ""
    refused = [record for record in stage.gateway.records("decided") if record["outcome"] == "deny"][-1]
    assert refused["revision"] == stage.opa.bundle(enforced - 1).revision


def _servers(upstream: Recorder) -> dict[str, Any]:
    return {"notes": catalog("notes", upstream.url, tools=TOOLS)}


async def _echoed(client: Client, text: str) -> str:
    """Call `echo`; why it was refused, empty where it was not."""
    result = await client.call_tool("echo", {"text": text})
    if not result.is_error:
        assert text in result.model_dump_json()
        return ""
    told = result.model_dump_json()
    return next(code for code in ("policy_unavailable", "policy_regressed") if code in told)


async def _until_refused(client: Client, begun: asyncio.Event) -> tuple[int, int]:
    """Call until a call is refused for want of a policy; how many were allowed, and refused."""
    allowed = 0
    while (refusal := await _echoed(client, "under way")) == "":
        allowed += 1
        begun.set()
    assert refusal == "policy_unavailable"
    return allowed, 1


async def _called(gateway: Gateway) -> str:
    """The answer to a call by somebody who has not asked for anything before."""
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "containers", "version": "1"},
    }
    params = {"name": "echo", "arguments": {"text": "unheard"}, "_meta": meta}
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": version,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "echo",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with httpx.AsyncClient() as http:
        return (await http.post(gateway.url("notes"), json=body, headers=headers, timeout=10)).text
