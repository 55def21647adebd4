"""`mcp-admission try` as a process: a server behind a gateway on this machine, in one command."""

import asyncio
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests import certificates
from tests.integration.test_catalog_servers import Legacy
from tests.running import end, until
from tests.servers.scripted import serving
from tests.servers.sdk1 import sdk1

_URL: Final = re.compile(r"http://127\.0\.0\.1:(\d+)/servers/[a-z-]+/mcp")
_PLAIN: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_INITIALIZE: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


@asynccontextmanager
async def trying(directory: Path, url: str, *options: str | Path) -> AsyncGenerator[str]:
    """Run the command until the end of the block; the URL that it prints for clients."""
    command = [sys.executable, "-m", "gateway", "try", url, "--keep", directory / "kept", *options]
    output = directory / "output"
    process = _started(list(map(str, command)), output)
    try:

        async def printed() -> str | None:
            found = _URL.search(output.read_text(encoding="utf-8"))
            assert found or process.poll() is None, output.read_text(encoding="utf-8")
            return found[0] if found else None

        yield await until(printed, lambda: output.read_text(encoding="utf-8"))
    finally:
        await asyncio.to_thread(end, process)


def _started(command: list[str], output: Path) -> subprocess.Popen[bytes]:
    with output.open("wb") as file:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)


async def initialized(url: str) -> dict[str, Any]:
    """Initialize through the gateway, once it is there and ready."""
    headers = {"accept": "application/json, text/event-stream"}
    async with httpx.AsyncClient(verify=_PLAIN) as client:

        async def answer() -> dict[str, Any] | None:
            try:
                got = await client.post(url, json=_INITIALIZE, headers=headers, timeout=20)
            except httpx.ConnectError:
                return None
            return {"text": got.text} if got.status_code == 200 else None

        return dict(await until(answer, lambda: "the gateway is not ready"))


async def test_a_server_of_a_private_authority_can_be_tried(tmp_path: Path) -> None:
    certificate = certificates.pair(tmp_path)
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate)
    server = Legacy()
    async with serving(server, tls=own):
        async with trying(tmp_path, server.url, "--ca-file", certificate, "--port", "0") as url:
            assert '"serverInfo"' in (await initialized(url))["text"]
        assert len(server.got("initialize")) == 2


@pytest.mark.environment("client1")
async def test_a_stateful_server_of_the_python_sdk_1_can_be_tried(tmp_path: Path) -> None:
    with sdk1("stateful", "sse") as server:
        async with trying(tmp_path, server, "--port", "0") as url:
            assert "serverInfo" in (await initialized(url))["text"]
    assert "add:" in (tmp_path / "kept/bundles/trial/catalog/x.yaml").read_text(encoding="utf-8")


async def test_an_occupied_port_is_reported_before_anything_else(tmp_path: Path) -> None:
    server = Legacy()
    async with serving(server):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            command = [
                sys.executable,
                "-m",
                "gateway",
                "try",
                server.url,
                "--keep",
                str(tmp_path / "kept"),
                "--port",
                str(port),
            ]
            got = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert got.returncode == 1
        assert got.stdout == ""
        assert f"cannot listen on 127.0.0.1:{port}" in got.stderr
        assert "--port 0" in got.stderr
        assert server.received == []
    assert not (tmp_path / "kept").exists()
