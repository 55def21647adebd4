# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
"""The conversation of tests/clients/python2.py, by the client of FastMCP 4: python client.py URL MODE NAME.

Rule 1: it imports nothing of this repository, which the entry's environment does not have.
"""

import asyncio
import json
import sys
from typing import Any

from fastmcp import Client
from mcp_types import TextContent

PATIENCE_S = 60


async def sampled(messages: Any, params: Any, context: Any) -> str:
    return "word"


async def elicited(message: str, response_type: Any, params: Any, context: Any) -> dict[str, str]:
    return {"name": "Ada"}


def told(result: Any) -> dict[str, Any]:
    text = " ".join(part.text for part in result.content if isinstance(part, TextContent))
    return {"error": result.is_error, "text": text}


async def talk(url: str, mode: str, name: str) -> dict[str, Any]:
    logged: list[Any] = []
    progress: list[float] = []

    async def heard(message: Any) -> None:
        logged.append(message.data)

    async def progressed(reached: float, total: float | None, message: str | None) -> None:
        progress.append(reached)

    async with Client(
        url,
        mode=mode,
        sampling_handler=sampled,
        elicitation_handler=elicited,
        log_handler=heard,
        timeout=PATIENCE_S,
    ) as client:

        async def call(tool: str, arguments: dict[str, Any], **options: Any) -> dict[str, Any]:
            return told(await client.call_tool(tool, arguments, raise_on_error=False, **options))

        steps: dict[str, Any] = {"revision": client.protocol_version}
        steps["tools"] = sorted(tool.name for tool in await client.list_tools())
        steps["allowed"] = await call("echo", {"text": "hi"})
        steps["denied"] = await call("forbidden", {})
        steps["after"] = await call("echo", {"text": "still here"})
        await call("count", {"to": 3}, progress_handler=progressed)
        steps["progress"] = progress
        await call("log", {"text": "a word"})
        steps["logged"] = logged
        steps["cancelled"] = await cancelled(client, name)
        steps["sampled"] = await call("sample", {})
        steps["elicited"] = await call("ask", {})
        steps["resumed"] = await call("drop", {"text": "came back"})
        steps["last"] = await call("echo", {"text": "bye"})
    return steps


async def cancelled(client: Client, name: str) -> bool:
    """Whether a call that had begun ended without a result once it was canceled."""
    begun = asyncio.Event()

    async def progressed(reached: float, total: float | None, message: str | None) -> None:
        begun.set()

    call = asyncio.create_task(client.call_tool("wait", {"name": name}, progress_handler=progressed))
    await asyncio.wait_for(begun.wait(), PATIENCE_S)
    call.cancel()
    await asyncio.wait({call}, timeout=PATIENCE_S)
    return call.cancelled()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(talk(*sys.argv[1:4]))))  # noqa: T201 - the steps are this program's output
