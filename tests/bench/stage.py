"""The processes of a measurement: the upstream, the gateway before it, the floor on the gateway's own OPA."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
from msgspec import Struct

from tests.bench.load import Load
from tests.running import Gateway, catalog, running

MODERN: Final = "2026-07-28"
HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": MODERN,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "echo",
}
LISTING: Final = {**{name: value for name, value in HEADERS.items() if name != "Mcp-Name"}, "Mcp-Method": "tools/list"}
META: Final = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}


def call(number: int, size: int = 0) -> bytes:
    """Return the n-th `tools/call`; `size` is how many characters the result has."""
    arguments: dict[str, Any] = {"text": f"hello {number}"} | ({"bytes": size} if size else {})
    params = {"name": "echo", "arguments": arguments, "_meta": META}
    return orjson.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})


def listing(number: int) -> bytes:
    """Return the n-th `tools/list`."""
    return orjson.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/list", "params": {"_meta": META}})


class Stage(Struct, frozen=True, kw_only=True):
    """What is measured: the same call directly, through the floor, through the gateway."""

    gateway: Gateway
    upstream: str
    floor: str

    def load(self, kind: str) -> Load:
        """Return the load on one of `direct`, `floor`, `gateway`."""
        urls = {"direct": self.upstream, "floor": self.floor, "gateway": self.gateway.url("bench")}
        return Load(urls[kind], HEADERS, b'"resultType":"complete"')


@contextmanager
def served(module: str, *arguments: str) -> Generator[str]:
    """Run a module that prints its port, and yield its origin."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{(process.stdout.readline() if process.stdout else '').strip()}"
        finally:
            process.kill()


@asynccontextmanager
async def staged(root: Path, *, workers: int = 1, durability: str = "disk", tools: int = 10) -> AsyncGenerator[Stage]:
    """Run everything that a measurement needs; the floor asks the gateway's own OPA a question of the gateway's."""
    with served("tests.bench.upstream") as origin:
        url = f"{origin}/tools/{tools}/mcp"
        entry = catalog("bench", url, large_results=True, tools=targets(tools))
        settings = {
            "workers": workers,
            "journal": {"durability": durability, "masking": "full"},
            "opa": {"deadline_ms": 5_000},
            "lists": {"deadline_ms": 5_000},
        }
        async with running(root, servers={"bench": entry}, settings=settings) as gateway:
            question = await _question(gateway, root)
            with served("tests.bench.floor", url, _socket(gateway), str(question)) as floor:
                yield Stage(gateway=gateway, upstream=url, floor=f"{floor}/mcp")


def targets(count: int) -> dict[str, Any]:
    """Return the targets of a catalog entry for the upstream that lists so many tools."""
    return {"echo": {"action": "read"}} | {f"tool_{n}": {"action": "read"} for n in range(1, count)}


def _socket(gateway: Gateway) -> str:
    """Return the path of the managed OPA's socket, which the gateway logs."""
    found = re.findall(r'"socket":\s*"([^"]+)"', gateway.log.read_text(encoding="utf-8"))
    return found[-1]


async def _question(gateway: Gateway, root: Path) -> Path:
    """Return a file with the question that the gateway asks for such a call, taken from its journal."""
    load = Load(gateway.url("bench"), HEADERS, b'"resultType"')
    await load.run(call, connections=1, calls=3)
    while not (calls := [r for r in gateway.records("decided") if r["method"] == "tools/call" and r["input"]]):
        await asyncio.sleep(0.01)  # noqa: TID251 - until the records are written
    path = root / "question.json"
    path.write_text(json.dumps({"input": calls[-1]["input"]}), encoding="utf-8")
    return path


def worker_pids(gateway: Gateway) -> list[int]:
    """Return the process ids of the workers, which the gateway logs."""
    text = gateway.log.read_text(encoding="utf-8")
    return [int(pid) for pid in re.findall(r'"worker_started".*?"pid":\s*(\d+)', text)]


async def sessions(stage: Stage, count: int) -> None:
    """Open so many sessions of revision 2025-11-25, one after the other on some connections."""
    headers = {name: value for name, value in HEADERS.items() if not name.startswith(("Mcp", "MCP"))}
    load = Load(stage.gateway.url("bench"), headers, b'"protocolVersion"')
    await load.run(_initialize, connections=16, calls=count)


def _initialize(number: int) -> bytes:
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": f"bench-{number}", "version": "1"},
    }
    return orjson.dumps({"jsonrpc": "2.0", "id": number, "method": "initialize", "params": params})


def question_of() -> dict[str, Any]:
    """Return a question as the gateway asks it for such a call."""
    moment = {
        "unix_ns": 1_800_000_000_000_000_000,
        "rfc3339": "2027-01-15T08:00:00Z",
        "weekday": "friday",
        "hour": 8,
        "minute": 0,
        "timezone": "UTC",
    }
    digest = {"sha256": "00" * 32, "parts": {"name": "00" * 32, "inputSchema": "00" * 32}, "annotations": {}}
    return {
        "schema": "mcp.input/v1",
        "phase": "request",
        "message": {
            "method": "tools/call",
            "kind": "request",
            "revision": MODERN,
            "era": "modern",
            "retry": {"has_state": False, "answers": []},
        },
        "principal": {
            "kind": "anonymous",
            "method": "none",
            "issuer": None,
            "subject": None,
            "client_id": None,
            "groups": [],
            "scopes": [],
            "claims": {},
            "delegation": [],
            "credential_sha256": None,
        },
        "client": {"name": "bench", "version": "1"},
        "server": {"id": "bench"},
        "target": {"type": "tool", "name": "echo", "uri": None},
        "context": {
            "time": moment,
            "source_ip": "127.0.0.1",
            "gateway": {"id": "bench", "version": "1"},
            "headers": {},
        },
        "definition": digest,
        "arguments": {"text": "hello"},
        "arguments_meta": {"bytes": 16, "digest": "00" * 32, "depth": 1, "schema": "match"},
        "items": [],
    }
