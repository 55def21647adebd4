"""One conversation of the official Python SDK 2.x, through the gateway; what came of it, as JSON.

    python python2.py OPEN QUIET MODE NAME

OPEN and QUIET are URLs of the talking server (tests/servers/talking.py) through the gateway; from OPEN it may ask the
client back, from QUIET it may not. NAME is what this run cancels. The other programs here do the same, word for word.
If QUIET is empty, only the conversation with OPEN is held, and the output is its steps alone.

Rule 1: nothing is asserted here; the test reads the JSON.
Rule 2: all steps of a URL share one session, in this order: what a step breaks, the later ones show.
"""

import asyncio
import json
import sys
from typing import Any, Final

from mcp import Client, StdioServerParameters
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import ToolsListChanged
from mcp_types import (
    CallToolResult,
    CreateMessageResult,
    ElicitResult,
    LoggingMessageNotificationParams,
    TextContent,
    ToolListChangedNotification,
)

Said = dict[str, Any]
_PATIENCE_S: Final = 60


async def sampled(context: Any, params: Any) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="word"), model="m")


async def elicited(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": "Ada"})


def told(result: CallToolResult) -> Said:
    text = " ".join(part.text for part in result.content if isinstance(part, TextContent))
    return {"error": result.is_error, "text": text}


async def open_talk(server: str | StdioServerParameters, mode: str, name: str) -> Said:
    """Hold the conversation with a server: a URL, or a program that speaks over standard input and output."""
    logged: list[Any] = []
    steps: list[float] = []
    changed = asyncio.Event()

    async def heard(params: LoggingMessageNotificationParams) -> None:
        logged.append(params.data)

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async def received(message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            changed.set()

    async with Client(
        server,
        mode=mode,
        message_handler=received,
        sampling_callback=sampled,
        elicitation_callback=elicited,
        logging_callback=heard,
        log_level="info",
        read_timeout_seconds=_PATIENCE_S,
    ) as client:
        said: Said = {"revision": client.protocol_version}
        said["tools"] = sorted(tool.name for tool in (await client.list_tools()).tools)
        said["allowed"] = told(await client.call_tool("echo", {"text": "hi"}))
        said["denied"] = told(await client.call_tool("forbidden", {}))
        said["after"] = told(await client.call_tool("echo", {"text": "still here"}))
        await client.call_tool("count", {"to": 3}, progress_callback=progressed)
        said["progress"] = steps
        await client.call_tool("log", {"text": "a word"})
        said["logged"] = logged
        said["news"] = await news(client, changed)
        said["cancelled"] = await cancelled(client, name)
        said["sampled"] = told(await client.call_tool("sample", {}))
        said["elicited"] = told(await client.call_tool("ask", {}))
        said["resumed"] = told(await client.call_tool("drop", {"text": "came back"}))
        said["last"] = told(await client.call_tool("echo", {"text": "bye"}))
    return said


async def cancelled(client: Client, name: str) -> bool:
    """Whether a call that had begun ended without a result once it was cancelled."""
    begun = asyncio.Event()

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        begun.set()

    call = asyncio.create_task(client.call_tool("wait", {"name": name}, progress_callback=progressed))
    await asyncio.wait_for(begun.wait(), _PATIENCE_S)
    call.cancel()
    await asyncio.wait({call}, timeout=_PATIENCE_S)
    return call.cancelled()


async def news(client: Client, changed: asyncio.Event) -> bool:
    """Whether the client heard that the tools changed: on the standing stream, or on one that it asked for."""
    async with asyncio.timeout(_PATIENCE_S):
        if client.protocol_version == "2026-07-28":
            async with client.listen(tools_list_changed=True) as subscription:
                await client.call_tool("announce", {})
                return isinstance(await anext(subscription), ToolsListChanged)
        await client.call_tool("announce", {})
        return await changed.wait()


async def quiet_talk(url: str, mode: str) -> Said:
    async with Client(
        url, mode=mode, sampling_callback=sampled, elicitation_callback=elicited, read_timeout_seconds=_PATIENCE_S
    ) as client:
        # The server asks for a sample by the client's own stream, which opens beside the first calls.
        return {
            "elicited": told(await client.call_tool("ask", {})),
            "sampled": told(await client.call_tool("sample", {})),
            "last": told(await client.call_tool("echo", {"text": "bye"})),
        }


async def talk(opened: str, quiet: str, mode: str, name: str) -> Said:
    steps = await open_talk(opened, mode, name)
    return {"open": steps, "quiet": await quiet_talk(quiet, mode)} if quiet else steps


if __name__ == "__main__":
    print(json.dumps(asyncio.run(talk(*sys.argv[1:5]))))  # noqa: T201 - what came of it is this program's output
