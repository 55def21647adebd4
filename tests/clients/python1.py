# pyright: basic, reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false
"""The conversation of python2.py, by the official Python SDK 1.x; it runs in the environment of `make client1`.

Rule 1: it imports nothing of this repository, which that environment does not have.
Rule 2: this SDK sends no cancellation of its own, so the program sends the one that the specification names.
"""

import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

from mcp import ClientSession, types
from mcp.client.streamable_http import streamablehttp_client

PATIENCE = timedelta(seconds=15)


async def sampled(context: Any, params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="word")
    return types.CreateMessageResult(role="assistant", content=content, model="m")


async def elicited(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"name": "Ada"})


def told(result: Any) -> dict[str, Any]:
    return {"error": result.isError, "text": " ".join(part.text for part in result.content)}


async def open_talk(url: str, name: str) -> dict[str, Any]:
    logged: list[Any] = []
    steps: list[float] = []
    changed = asyncio.Event()

    async def heard(params: Any) -> None:
        logged.append(params.data)

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async def received(message: Any) -> None:
        if isinstance(getattr(message, "root", None), types.ToolListChangedNotification):
            changed.set()

    async with (
        streamablehttp_client(url) as (reading, writing, _),
        ClientSession(
            reading,
            writing,
            PATIENCE,
            sampling_callback=sampled,
            elicitation_callback=elicited,
            logging_callback=heard,
            message_handler=received,
        ) as session,
    ):
        said: dict[str, Any] = {"revision": (await session.initialize()).protocolVersion}
        said["tools"] = sorted(tool.name for tool in (await session.list_tools()).tools)
        said["allowed"] = told(await session.call_tool("echo", {"text": "hi"}))
        said["denied"] = told(await session.call_tool("forbidden", {}))
        said["after"] = told(await session.call_tool("echo", {"text": "still here"}))
        await session.call_tool("count", {"to": 3}, progress_callback=progressed)
        said["progress"] = steps
        await session.call_tool("log", {"text": "a word"})
        said["logged"] = logged
        await session.call_tool("announce", {})
        said["news"] = await asyncio.wait_for(changed.wait(), 15)
        said["cancelled"] = await cancelled(session, name)
        said["sampled"] = told(await session.call_tool("sample", {}))
        said["elicited"] = told(await session.call_tool("ask", {}))
        said["resumed"] = told(await session.call_tool("drop", {"text": "came back"}))
        said["last"] = told(await session.call_tool("echo", {"text": "bye"}))
    return said


async def cancelled(session: ClientSession, name: str) -> bool:
    begun = asyncio.Event()

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        begun.set()

    request_id = session._request_id
    call = asyncio.create_task(session.call_tool("wait", {"name": name}, progress_callback=progressed))
    await asyncio.wait_for(begun.wait(), 15)
    params = types.CancelledNotificationParams(requestId=request_id, reason="no longer wanted")
    await session.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))
    call.cancel()
    await asyncio.wait({call}, timeout=15)
    return call.cancelled() or call.exception() is not None


async def quiet_talk(url: str) -> dict[str, Any]:
    async with (
        streamablehttp_client(url) as (reading, writing, _),
        ClientSession(reading, writing, PATIENCE, sampling_callback=sampled, elicitation_callback=elicited) as session,
    ):
        await session.initialize()
        # The server asks for a sample by the client's own stream, which opens beside the first calls.
        return {
            "elicited": told(await session.call_tool("ask", {})),
            "sampled": told(await session.call_tool("sample", {})),
            "last": told(await session.call_tool("echo", {"text": "bye"})),
        }


async def talk(opened: str, quiet: str, mode: str, name: str) -> dict[str, Any]:
    steps = await open_talk(opened, name)
    return {"open": steps, "quiet": await quiet_talk(quiet)} if quiet else steps


if __name__ == "__main__":
    print(json.dumps(asyncio.run(talk(*sys.argv[1:5]))))  # noqa: T201 - what came of it is this program's output
