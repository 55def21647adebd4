# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""A conversation of the first FastMCP client with Streamable HTTP (2.3.0): python client.py URL.

Rule 1: it imports nothing of this repository, which the entry's environment does not have.
"""

import asyncio
import json
import sys
from typing import Any

from fastmcp import Client
from mcp import types


async def talk(url: str) -> dict[str, Any]:
    logged: list[Any] = []
    changed = asyncio.Event()

    async def heard(params: Any) -> None:
        logged.append(params.data)

    async def received(message: Any) -> None:
        if isinstance(getattr(message, "root", None), types.ToolListChangedNotification):
            changed.set()

    async with Client(url, log_handler=heard, message_handler=received) as client:

        async def call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
            result = await client.call_tool_mcp(tool, arguments)
            return {"error": result.isError, "text": " ".join(part.text for part in result.content)}

        steps: dict[str, Any] = {"tools": sorted(tool.name for tool in await client.list_tools())}
        steps["allowed"] = await call("echo", {"text": "hi"})
        steps["denied"] = await call("forbidden", {})
        steps["after"] = await call("echo", {"text": "still here"})
        await call("log", {"text": "a word"})
        steps["logged"] = logged
        await call("announce", {})
        steps["news"] = await asyncio.wait_for(changed.wait(), 60)
        steps["resource"] = [content.text for content in await client.read_resource("note://open")]
        steps["last"] = await call("echo", {"text": "bye"})
    return steps


if __name__ == "__main__":
    print(json.dumps(asyncio.run(talk(sys.argv[1]))))  # noqa: T201 - the steps are this program's output
