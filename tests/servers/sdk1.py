# pyright: basic
# The import is of the environment of `make client1`, which has another release of the SDK.
"""A server on the official Python SDK 1.x, as its documentation starts one, in the environment of `make client1`.

    with sdk1("stateful", "sse") as url: ...

Rule 1: nothing of the SDK is configured except what the two words say.
"""

import asyncio
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.serving import serve, started

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def sdk1(state: str, media: str) -> Generator[str]:
    """Run a server, `stateful` or `stateless`, that answers as `json` or as `sse`; the URL of its endpoint."""
    python = str(ROOT / ".venv-client1/bin/python")
    with started([python, "-m", "tests.servers.sdk1", state, media], directory=ROOT) as url:
        yield url


async def _main(state: str, media: str) -> None:
    from mcp.server.fastmcp import FastMCP  # noqa: PLC0415 # pyright: ignore[reportAttributeAccessIssue]

    server = FastMCP("x", stateless_http=state == "stateless", json_response=media == "json", log_level="ERROR")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.resource("note://{name}")
    def note(name: str) -> str:
        """Read a note."""
        return name

    @server.prompt()
    def greet(name: str) -> str:
        """Greet a person."""
        return f"Hello, {name}"

    del add, note, greet
    await serve(server.streamable_http_app())


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
