"""The recording server is a real server: the official client uses all of it, and the journal says so."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp_types import CreateMessageResult, ElicitResult, TextContent

from tests.servers.fixtures import recorder, recording_process
from tests.servers.recording import Recorder, recording

__all__ = ["recorder", "recording_process"]


async def _elicited(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": "Ada"})


async def _sampled(context: Any, params: Any) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="word"), model="m")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_official_client_uses_it_in_both_eras(recorder: Recorder, mode: Any) -> None:
    seen: list[float] = []

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with Client(recorder.url, mode=mode) as client:
        assert "read_note" in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("echo", {"text": "hi"})
        assert not result.is_error
        assert not (await client.call_tool("count", {"to": 3}, progress_callback=progressed)).is_error
        assert (await client.read_resource("note://welcome")).contents
        assert (await client.get_prompt("greet", {"name": "Ada"})).messages
    assert [call["name"] for call in recorder.calls("tools/call")] == ["echo", "count"]
    assert seen == [1, 2, 3]


async def test_a_legacy_client_is_asked_back(recorder: Recorder) -> None:
    async with Client(
        recorder.url, mode="legacy", elicitation_callback=_elicited, sampling_callback=_sampled
    ) as client:
        assert "Ada" in str((await client.call_tool("ask", {})).content)
        assert "word" in str((await client.call_tool("sample", {})).content)


def test_what_is_no_message_is_in_the_journal_too(recorder: Recorder) -> None:
    assert recorder.arrived == []
    httpx.post(recorder.url, content=b"{not json", headers={"Content-Type": "application/json"})
    assert [(arrived.verb, arrived.message) for arrived in recorder.arrived] == [("POST", "{not json")]


async def test_what_it_presents_can_be_changed(tmp_path: Path) -> None:
    with recording(tmp_path / "journal", "--json") as server:
        server.change("echo", "Another description")
        server.change("wait", None)
        async with Client(server.url) as client:
            tools = {tool.name: tool.description for tool in (await client.list_tools()).tools}
        assert tools["echo"] == "Another description"
        assert "wait" not in tools
