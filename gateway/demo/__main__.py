"""`python -m gateway.demo`: the demo server as a process.

Rule 1: it listens on loopback only.
Rule 2: when it is ready, it prints one line of JSON, `{"ready": URL, "directory": DIRECTORY}`, and nothing else on
stdout.
Rule 3: if standard input is a pipe, the server ends when the pipe closes, so it never outlives its parent process.
"""

import asyncio
import json
import os
import socket
import stat
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

import click
import uvicorn

from gateway.demo.tool_files import Workspace
from gateway.demo.tools import server

HOST: Final = "127.0.0.1"
PORT: Final = 8931
PATH: Final = "/mcp"
DRAIN_SECONDS: Final = 1


class Announcing(uvicorn.Server):
    """A server that announces when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self.ready, flush=True)  # noqa: T201  the ready line is this program's output


def _bound(port: int) -> socket.socket:
    """Return a listening socket on loopback; 0 chooses a free port."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as problem:
        listening.close()
        raise click.ClickException(
            f"port {port} of {HOST} cannot be used ({problem.strerror}): stop the program on it, or give another --port"
        ) from problem
    return listening


def _end_with_stdin(running: uvicorn.Server) -> None:
    """Ask the server to end when the pipe on standard input closes."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        running.should_exit = True

    mode = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        threading.Thread(target=wait, daemon=True).start()


async def _serve(directory: Path, port: int) -> None:
    workspace = Workspace(directory)
    workspace.furnish()
    with _bound(port) as listening:
        url = f"http://{HOST}:{listening.getsockname()[1]}{PATH}"
        config = uvicorn.Config(
            server(workspace).streamable_http_app(streamable_http_path=PATH, host=HOST),
            log_level="error",
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        running = Announcing(config, json.dumps({"ready": url, "directory": str(workspace.directory)}))
        _end_with_stdin(running)
        await running.serve(sockets=[listening])


@click.command()
@click.option("--port", default=PORT, show_default=True, help="Port on loopback; 0 chooses a free one.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the workspace (default: a temporary directory).",
)
def main(port: int, directory: Path | None) -> None:
    """Serve the demo workspace over MCP (streamable HTTP) on loopback."""
    if directory:
        asyncio.run(_serve(directory, port))
        return
    with tempfile.TemporaryDirectory(prefix="mcp-admission-demo-") as temporary:
        asyncio.run(_serve(Path(temporary), port))


if __name__ == "__main__":
    main()
