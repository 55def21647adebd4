"""Two servers that nobody here wrote, over HTTP, used through the gateway by the official client."""

import re
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack
from typing import Any, Final

import pytest
import pytest_asyncio
from mcp import Client
from mcp_types import TextContent

from tests.running import Gateway, catalog, running
from tests.servers.strangers import clock, everything

pytestmark = [pytest.mark.environment("node"), pytest.mark.environment("client1")]

EVERYTHING: Final = ("echo", "get-sum", "get-env", "trigger-long-running-operation")
CLOCK: Final = ("get_current_time", "convert_time")
RULES: Final[dict[str, Any]] = {
    "rules": [
        {"rule": "everything", "effect": "allow", "reason": "a test", "owner": "o@e.c"},
        {
            "rule": "no-secrets",
            "effect": "deny",
            "what": {"tools": ["get-env", "convert_time"]},
            "reason": "the environment holds secrets",
            "owner": "o@e.c",
        },
    ]
}


@pytest.fixture(scope="module")
def servers() -> Generator[dict[str, dict[str, Any]]]:
    """Both servers, as the catalog knows them: with only some of their tools."""
    with ExitStack() as stack:
        urls = {"everything": stack.enter_context(everything()), "clock": stack.enter_context(clock())}
        known = {"everything": EVERYTHING, "clock": CLOCK}
        yield {
            name: catalog(name, url, tools={tool: {"action": "read"} for tool in known[name]})
            for name, url in urls.items()
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    tmp_path_factory: pytest.TempPathFactory, servers: dict[str, dict[str, Any]]
) -> AsyncGenerator[Gateway]:
    root = tmp_path_factory.mktemp("strangers")
    async with running(root, servers=servers, files={"rules/open.yaml": RULES}) as started:
        yield started


async def test_of_the_showcase_only_what_is_cataloged_and_allowed_is_listed(
    gateway: Gateway, servers: dict[str, dict[str, Any]]
) -> None:
    async with Client(servers["everything"]["url"]) as client:
        offered = await _tools(client)
    async with Client(gateway.url("everything")) as client:
        assert await _tools(client) == {"echo", "get-sum", "trigger-long-running-operation"}
    assert offered > set(EVERYTHING)


async def test_the_showcase_answers_what_is_allowed_and_never_sees_what_is_not(gateway: Gateway) -> None:
    steps: list[float] = []

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async with Client(gateway.url("everything")) as client:
        assert "hi" in _text(await client.call_tool("echo", {"message": "hi"}))
        refused = await client.call_tool("get-env", {})
        assert refused.is_error
        assert "the environment holds secrets" in _text(refused)
        assert "PATH" not in _text(refused)
        assert "5" in _text(await client.call_tool("get-sum", {"a": 2, "b": 3}))
        slow = {"duration": 0.2, "steps": 2}
        assert not (
            await client.call_tool("trigger-long-running-operation", slow, progress_callback=progressed)
        ).is_error
    assert steps == [1, 2]


async def test_what_the_catalog_does_not_know_is_refused_like_what_does_not_exist(gateway: Gateway) -> None:
    async with Client(gateway.url("everything")) as client:
        there = await client.call_tool("get-tiny-image", {})
        nowhere = await client.call_tool("get-huge-image", {})
        assert there.is_error
        assert nowhere.is_error
        assert _anonymous(_text(there), "get-tiny-image") == _anonymous(_text(nowhere), "get-huge-image")
        assert "hi" in _text(await client.call_tool("echo", {"message": "hi"}))


async def test_the_clock_behind_a_strangers_bridge_is_filtered_and_refused_alike(gateway: Gateway) -> None:
    async with Client(gateway.url("clock")) as client:
        assert await _tools(client) == {"get_current_time"}
        assert "datetime" in _text(await client.call_tool("get_current_time", {"timezone": "UTC"}))
        wanted = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "UTC"}
        refused = await client.call_tool("convert_time", wanted)
        assert refused.is_error
        assert "the environment holds secrets" in _text(refused)
        assert "datetime" in _text(await client.call_tool("get_current_time", {"timezone": "UTC"}))


async def _tools(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


def _text(result: Any) -> str:
    return " ".join(part.text for part in result.content if isinstance(part, TextContent))


def _anonymous(text: str, name: str) -> str:
    """The text without the name that was asked for, and without the decision's id."""
    return re.sub(r"[0-9a-f]{32}", "ID", text.replace(name, "NAME"))
