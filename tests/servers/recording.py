"""A real MCP server on the official SDK, in a process of its own, with a journal of what reached it.

    with recording(tmp_path / "journal") as server:     # or the fixture `recorder` of tests.servers.fixtures
        ... server.url ...                              # http://127.0.0.1:<port>/mcp, both eras
        assert server.calls("tools/call") == []         # nothing reached it
        server.change("read_note", "another description")   # what it presents from now on; null takes the tool away

What it offers is in `tests.servers.notes`.

Rule 1: a request is in the journal, on disk, before the SDK sees it; so an empty journal proves that nothing came.
Rule 2: the process ends with the pipe on its standard input, so it never outlives the test.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn
from mcp.server.mcpserver import MCPServer
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.servers.notes import server


class Arrived(Struct, frozen=True):
    """One HTTP request as it reached the server."""

    verb: str
    path: str
    headers: dict[str, str]
    message: Any
    """The JSON-RPC message; the text of the body where it is no JSON; null where there is none."""

    @property
    def method(self) -> str:
        """The JSON-RPC method; empty where there is none."""
        return str(self.message.get("method", "")) if isinstance(self.message, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


class Recorder:
    """A running recording server, as tests see it."""

    def __init__(self, url: str, journal: Path) -> None:
        self.url: Final = url
        self._journal: Final = journal
        self._from = 0

    @property
    def arrived(self) -> list[Arrived]:
        """Everything that reached the server since the start, or since `clear`."""
        lines = self._journal.read_bytes()[self._from :].splitlines()
        return [Arrived(**json.loads(line)) for line in lines]

    def calls(self, method: str) -> list[dict[str, Any]]:
        """The params of every message of a method that reached the server."""
        return [arrived.message.get("params", {}) for arrived in self.arrived if arrived.method == method]

    def clear(self) -> None:
        """Leave out what arrived until now."""
        self._from = self._journal.stat().st_size

    def change(self, tool: str, description: str | None) -> None:
        """Present a tool with another description from now on, or not at all; no client is told."""
        control = self.url.removesuffix("/mcp") + "/control"
        httpx.post(control, json={"tool": tool, "description": description}).raise_for_status()


@contextmanager
def recording(journal: Path, *options: str) -> Generator[Recorder]:
    """Run the server until the end of the block.

    `--json` lets it answer without event streams, `--legacy` know nothing of the revision 2026-07-28.
    """
    journal.touch()
    command = [sys.executable, "-m", "tests.servers.recording", str(journal), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Recorder(json.loads(process.stdout.readline())["ready"], journal)
        finally:
            process.terminate()


class _Recorded:
    """Writes every request to the journal before the application sees it."""

    def __init__(self, app: ASGIApp, journal: Path) -> None:
        self._app: Final = app
        self._journal: Final = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/mcp":
            await self._app(scope, receive, send)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self._write(scope, bytes(body))
        told = False

        async def replay() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)

    def _write(self, scope: Scope, body: bytes) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            message = json.loads(body) if body else None
        except ValueError:
            message = body.decode(errors="replace")
        entry = {"verb": scope["method"], "path": scope["path"], "headers": headers, "message": message}
        with self._journal.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")


class _Legacy:
    """Refuses the modern era as servers do that do not know it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (b"mcp-protocol-version", b"2026-07-28") in scope["headers"]:
            error = {"code": -32600, "message": "Bad Request: Unsupported protocol version"}
            refusal = {"jsonrpc": "2.0", "id": "server-error", "error": error}
            await JSONResponse(refusal, 400)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _controlled(made: MCPServer) -> None:
    """Let a test change what the server presents."""

    @made.custom_route("/control", methods=["POST"])
    async def control(request: Request) -> Response:
        wanted = await request.json()
        tool = made._tool_manager.get_tool(wanted["tool"])
        assert tool is not None
        if wanted["description"] is None:
            made.remove_tool(wanted["tool"])
        else:
            tool.description = wanted["description"]
        return Response(status_code=204)

    del control


class _Announcing(uvicorn.Server):
    """A server that says when it is ready."""

    ready = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self.ready, flush=True)  # noqa: T201 - the ready line is this program's output


async def _serve(journal: Path, options: list[str]) -> None:
    made = server()
    _controlled(made)
    served: ASGIApp = made.streamable_http_app(json_response="--json" in options)
    app = _Legacy(served) if "--legacy" in options else served
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(_Recorded(app, journal), log_level="error", timeout_graceful_shutdown=1)
        running = _Announcing(config)
        running.ready = json.dumps({"ready": f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"})
        threading.Thread(target=_end_with_stdin, args=(running,), daemon=True).start()
        await running.serve(sockets=[listening])


def _end_with_stdin(running: uvicorn.Server) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    running.should_exit = True


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2:]))
