"""An ASGI application as a process of its own, for the servers of this directory that tests start.

    with started([sys.executable, "-m", "tests.servers.talking"]) as url: ...      # in the test
    asyncio.run(serve(app))                                                        # in that program

Rule 1: the program says in one line of JSON where it listens, once it does; nobody waits for a guess.
Rule 2: it ends with the pipe on its standard input, so it never outlives the test.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp


@contextmanager
def started(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, directory: Path | None = None
) -> Generator[str]:
    """Run a program until the end of the block; the URL that its first line names."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=directory,
        env={**os.environ, **(environment or {})},
    ) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["ready"]
        finally:
            process.terminate()


async def serve(app: ASGIApp, *, path: str = "/mcp") -> None:
    """Serve on a port of this machine that is free, until standard input ends."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}{path}"
        running = _Announcing(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        running.ready = json.dumps({"ready": url})
        threading.Thread(target=_end_with_stdin, args=(running,), daemon=True).start()
        await running.serve(sockets=[listening])


class _Announcing(uvicorn.Server):
    """A server that says when it is ready."""

    ready = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self.ready, flush=True)  # noqa: T201 - the ready line is this program's output


def _end_with_stdin(running: uvicorn.Server) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    running.should_exit = True
