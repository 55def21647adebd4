"""What the official client and a real server are told of each other, through a gateway whose catalog agrees to less."""

from collections.abc import AsyncGenerator
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from mcp import Client
from mcp_types import CreateMessageResult, ElicitResult, TextContent

from gateway.admission.instructions import pin_of
from tests.clients.raw import BOTH, PATIENCE_S
from tests.running import Gateway, catalog, running, until
from tests.servers.fixtures import recorder, recording_process
from tests.servers.recording import Recorder
from tests.servers.talking import MODERN

__all__ = ["recorder", "recording_process"]
META: Final = "io.modelcontextprotocol/clientCapabilities"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, recording_process: Recorder) -> AsyncGenerator[Gateway]:
    things: dict[str, Any] = {
        "tools": {"echo": {"action": "read"}},
        "prompts": {"greet": {"action": "read"}},
        "resources": {"note://welcome": {"action": "read"}},
    }
    servers = {
        "all": catalog("all", recording_process.url, **things),
        "some": catalog(
            "some", recording_process.url, tools=things["tools"], server_requests=["elicitation/create", "roots/list"]
        ),
        "pinned": catalog("pinned", recording_process.url, instructions={"sha256": pin_of("For tests.")}),
        "changed": catalog("changed", recording_process.url, instructions={"sha256": pin_of("For all.")}),
    }
    async with running(tmp_path_factory.mktemp("capabilities"), servers=servers) as started:
        yield started


async def _elicited(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="decline")


async def _sampled(context: Any, params: Any) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="word"), model="m")


def _client(url: str, mode: Any) -> Client:
    return Client(url, mode=mode, elicitation_callback=_elicited, sampling_callback=_sampled)


def _declared(recorder: Recorder, mode: str) -> list[set[str]]:
    """Return the capabilities that the server saw, in every message that declares some."""
    if mode == "legacy":
        return [set(params["capabilities"]) for params in recorder.calls("initialize")]
    messages = [arrived.message for arrived in recorder.arrived if arrived.method]  # GET and DELETE have none
    metas: list[dict[str, Any]] = [message.get("params", {}).get("_meta", {}) for message in messages]
    return [set(meta[META]) for meta in metas if META in meta]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_where_everything_is_agreed_to_both_learn_everything(
    gateway: Gateway, recorder: Recorder, mode: str
) -> None:
    async with _client(recorder.url, mode) as direct:
        offered = direct.server_capabilities
    told = _declared(recorder, mode)
    recorder.clear()
    async with _client(gateway.url("all"), mode) as client:
        assert client.server_capabilities == offered
    assert _declared(recorder, mode)[:1] == told[:1] == [{"elicitation", "sampling"}]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_where_less_is_agreed_to_both_learn_less_and_go_on(
    gateway: Gateway, recorder: Recorder, mode: str
) -> None:
    async with _client(gateway.url("some"), mode) as client:
        offered = client.server_capabilities
        assert not (await client.call_tool("echo", {"text": "hi"})).is_error
    assert offered is not None
    assert (offered.tools is not None, offered.prompts, offered.resources) == (True, None, None)
    declared = _declared(recorder, mode)
    assert declared
    assert all(capabilities == {"elicitation"} for capabilities in declared)


@pytest.mark.parametrize(
    ("method", "params"), [("server/discover", {}), ("tools/list", {}), ("resources/read", {"uri": "note://welcome"})]
)
async def test_what_a_real_server_lets_everybody_keep_is_private_and_short_through_the_gateway(
    gateway: Gateway, recorder: Recorder, method: str, params: dict[str, Any]
) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        direct, through = [
            (await client.post(url, **_modern(method, params))).json()["result"]
            for url in (recorder.url, gateway.url("all"))
        ]
    assert through["cacheScope"] == "private"
    assert through["ttlMs"] <= min(direct["ttlMs"], 60_000)
    kept = {name: value for name, value in direct.items() if name not in {"cacheScope", "ttlMs", "tools"}}
    assert {name: through[name] for name in kept} == kept


def _modern(method: str, params: dict[str, Any]) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        META: {},
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    }
    headers = {"accept": BOTH, "mcp-protocol-version": MODERN, "mcp-method": method}
    named = {"mcp-name": params["uri"]} if "uri" in params else {}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    return {"json": message, "headers": headers | named}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_only_the_reviewed_instructions_of_a_real_server_reach_a_client(gateway: Gateway, mode: str) -> None:
    async with Client(gateway.url("pinned"), mode=mode) as client:
        assert client.instructions == "For tests."
    async with Client(gateway.url("changed"), mode=mode) as client:
        assert client.instructions is None
        assert client.server_capabilities is not None

    async def recorded() -> dict[str, Any] | None:
        found = [record for record in gateway.records("completed") if "removed_instructions" in record]
        return found[-1] if found else None

    record = await until(recorded, lambda: "no record of the removal")
    assert record["removed_instructions"] == pin_of("For tests.")
