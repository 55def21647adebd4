"""The product's own commands on a server of an entry: `catalog import`, `catalog diff` and `try`."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from mcp import Client, MCPError

from gateway.policy.sources.document import Document, read_document
from tests.environment import ROOT
from tests.running import DEADLINE_S, end, until

ASKING: Final = ("sampling/createMessage", "elicitation/create", "roots/list")
_URL: Final = re.compile(r"http://127\.0\.0\.1:\d+/servers/[a-z0-9-]+/mcp")
_COMMAND_S: Final = 180


def imported(url: str, path: Path) -> Mapping[str, Any]:
    """Import the server into a file as a user does, and return the entry of the catalog, which may ask clients."""
    assert _command("catalog", "import", url, "--server", path.stem, "--owner", "zoo@example.com", "-o", str(path))
    document = read_document(str(path), path.read_bytes())
    assert isinstance(document, Document), document
    return {**document.value, "server_requests": list(ASKING)}


def unchanged(path: Path) -> None:
    """Demand that the server still offers what was imported."""
    _command("catalog", "diff", str(path))


def _command(*arguments: str) -> str:
    command = [sys.executable, "-m", "gateway", *arguments]
    ended = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_COMMAND_S, check=False
    )
    assert ended.returncode == 0, f"{' '.join(arguments)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}"
    return ended.stdout + ended.stderr


async def tried(url: str, directory: Path) -> tuple[set[str], set[str]]:
    """Run `try` on the server: the names of the tools that a client sees, and of those that it is to see.

    A client is to see what `try` took for reads, but for tools that the server lists only to clients with capabilities.
    """
    direct = await _tools(url) or set()
    output = directory / "try.log"
    process = _trying(url, directory, output)
    try:

        async def listed() -> set[str] | None:
            assert process.poll() is None, output.read_text(encoding="utf-8")
            found = _URL.search(output.read_text(encoding="utf-8"))
            return await _tools(found[0]) if found else None

        wait = until(listed, lambda: output.read_text(encoding="utf-8"), deadline_s=2 * DEADLINE_S)
        return await wait, _reads(directory / "kept") & direct
    finally:
        await asyncio.to_thread(end, process)


def _trying(url: str, directory: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gateway", "try", url, "--port", "0", "--keep", str(directory / "kept")]
    with output.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file)


async def _tools(url: str) -> set[str] | None:
    """Return the names of the tools; None while the gateway is not ready."""
    try:
        async with Client(url) as client:
            listed = await client.list_tools() if client.server_capabilities.tools else None
            return {tool.name for tool in listed.tools} if listed else set()
    except (MCPError, httpx.HTTPError, ExceptionGroup):
        return None


def _reads(kept: Path) -> set[str]:
    """Return the tools that the policy of `try` has as reads."""
    (path,) = kept.glob("bundles/*/catalog/*.yaml")
    document = read_document(str(path), path.read_bytes())
    assert isinstance(document, Document), document
    tools: Mapping[str, Mapping[str, Any]] = document.value.get("tools", {})
    return {name for name, tool in tools.items() if tool.get("action") == "read"}
