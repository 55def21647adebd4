"""Servers that nobody here wrote, over HTTP, as their authors ship them.

    with everything() as url: ...       # npm, the SDK's showcase: needs tests/node
    with clock() as url: ...            # PyPI, a stdio server behind a stranger's bridge: needs `make client1`

Rule 1: they cannot say which port they took, so one that was free a moment ago is named to them.
Rule 2: a server is there when its port answers; it is ended by its process id.
"""

import os
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from tests.environment import ROOT

_DEADLINE_S: Final = 30
_NODE: Final = ROOT / "tests/node/node_modules"
_PYTHON: Final = ROOT / ".venv-client1/bin"


@contextmanager
def everything() -> Generator[str]:
    """The URL of `@modelcontextprotocol/server-everything`."""
    port = _free()
    program = _NODE / "@modelcontextprotocol/server-everything/dist/index.js"
    with _running([str(_NODE / ".bin/node"), str(program), "streamableHttp"], port, {"PORT": str(port)}):
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def clock() -> Generator[str]:
    """The URL of `mcp-server-time` behind `mcp-proxy`."""
    port = _free()
    command = [str(_PYTHON / "mcp-proxy"), "--port", str(port), "--", str(_PYTHON / "mcp-server-time")]
    with _running([*command, "--local-timezone", "UTC"], port, {}):
        yield f"http://127.0.0.1:{port}/mcp"


def _free() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Generator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, env={**os.environ, **environment}
    ) as process:
        try:
            _answering(process, port)
            yield
        finally:
            process.terminate()


def _answering(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + _DEADLINE_S
    while time.monotonic() < end:
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)  # noqa: TID251 - the rhythm in which the port is tried
        else:
            return
    raise AssertionError(f"{process.args} does not listen on {port}")
