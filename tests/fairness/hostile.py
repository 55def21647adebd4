"""The attacking server: `python -m tests.fairness.hostile` serves every case below `/<case>/mcp`.

Rule 1: it prints its origin in one line, and ends with the pipe on its standard input.
Rule 2: it keeps nothing of what reaches it.
"""

import asyncio
import os
import socket
import sys
from typing import Any, Final

import orjson

from tests.fairness.case import CASES, json_reply, message_of
from tests.fairness.cases import load
from tests.servers.scripted import Received, Script, Scripted, whole

SCHEMA: Final = {"type": "object", "properties": {"text": {"type": "string"}}}
TOOL: Final = {"name": "echo", "description": "Echo.", "inputSchema": SCHEMA}
LISTED: Final = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}


class Hostile(Scripted):
    """Answers each request as its case says."""

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await super()._answer(reader, writer)
        finally:
            self.received.clear()

    def script_for(self, received: Received) -> Script:
        case = CASES.get(received.path.split("/")[1])
        return (case.reply(received) if case else None) or ordinary(received)


def ordinary(got: Received) -> Script:
    """Answer as a server without peculiarities."""
    message = message_of(got)
    method = str(message.get("method", ""))
    if got.verb == "GET":
        return whole(b"", status="405 Method Not Allowed")
    if "id" not in message or not method:
        return whole(b"", status="202 Accepted")
    headers = "Mcp-Session-Id: hostile\r\n" if method == "initialize" else ""
    return json_reply(got, orjson.dumps(_result(method)), headers=headers)


def _result(method: str) -> dict[str, Any]:
    if method == "initialize":
        info = {"name": "hostile", "version": "1"}
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}, "resources": {}}, "serverInfo": info}
    if method in LISTED:
        items = [TOOL] if method == "tools/list" else []
        return {"resultType": "complete", LISTED[method]: items, "ttlMs": 1000, "cacheScope": "private"}
    return {"resultType": "complete", "content": [{"type": "text", "text": "ok"}]}


async def main() -> None:
    """Serve until standard input ends."""
    load()
    server = Hostile([])
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        serving = await asyncio.start_server(server.serve, sock=listening)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _ended, ended)
        print(listening.getsockname()[1], flush=True)  # noqa: T201 - the port is this program's output
        await ended.wait()
        serving.close()


def _ended(ended: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        ended.set()


if __name__ == "__main__":
    asyncio.run(main())
