"""What one decision costs OPA, as requirements and agents grow: the same question, the built bundle, no gateway."""

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gateway.opa.binary import find
from gateway.opa.client import DECISION
from gateway.opa.transport import Exchanged
from gateway.opa.unix_transport import UnixTransport
from gateway.policy.build import Builder, Built, PolicySource
from tests.running import OPEN, catalog

ROUNDS: Final = 300
_PER_FILE: Final = 1_000
_REQUIREMENT: Final = """\
# METADATA
# title: {title}
# description: Holds for everything that is asked of a server in the catalog.
# custom: {{severity: low, remedy: Nothing to do.}}
package mcp.requirements.{name}

met if input.server.id == "bench"
"""
_TEST: Final = """\
package mcp.requirements.{name}_test

import data.mcp.requirements.{name}

test_met if {name}.met with input as {{"server": {{"id": "bench"}}}}
"""


async def micros(question: dict[str, Any], *, requirements: int = 0, agents: int = 1) -> float:
    """Return the median time of a decision in microseconds, with so many own requirements and agents."""
    with tempfile.TemporaryDirectory(prefix="mcp-admission-bench-") as scratch:
        root = Path(scratch)
        _write(root, requirements, agents)
        content = await asyncio.to_thread(_built, root)
        (root / "bundle.tar.gz").write_bytes(content)
        async with _serving(root) as exchange:
            return await _median(exchange, json.dumps({"input": question}).encode())


async def _median(exchange: UnixTransport, body: bytes) -> float:
    times: list[int] = []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        answer = await exchange.exchange(DECISION, body)
        times.append(time.perf_counter_ns() - began)
        if not isinstance(answer, Exchanged) or b'"outcome":"allow"' not in answer.body:
            raise TypeError(answer)
    return sorted(times)[len(times) // 2] / 1000


def _built(root: Path) -> bytes:
    opa = find()
    if opa is None:
        raise FileNotFoundError("OPA is not here: run `make opa`")
    built = Builder(root / "state", opa).build(PolicySource(root, "bench"), time.time())
    if not isinstance(built, Built):
        raise TypeError(built)
    return built.content


def _write(root: Path, requirements: int, agents: int) -> None:
    environment = root / "bundles" / "bench"
    everyone = [_agent(number) for number in range(agents)]
    files: dict[str, Any] = {
        "environment.yaml": {"name": "bench", "default": "deny"},
        "rules/open.yaml": OPEN,
        "catalog/bench.yaml": catalog("bench", "http://127.0.0.1:1/mcp", tools={"echo": {"action": "read"}}),
    }
    for start in range(0, agents, _PER_FILE):
        files[f"agents/from-{start}.yaml"] = {"agents": everyone[start : start + _PER_FILE]}
    for name, data in files.items():
        path = environment / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data), encoding="utf-8")
    for number in range(requirements):
        name = f"bench_{number}_holds"
        directory = root / "rego" / "mcp" / "requirements" / name
        directory.mkdir(parents=True)
        text = _REQUIREMENT.format(name=name, title=f"Bench {number} holds")
        (directory / f"{name}.rego").write_text(text, encoding="utf-8")
        (directory / f"{name}_test.rego").write_text(_TEST.format(name=name), encoding="utf-8")


def _agent(number: int) -> dict[str, Any]:
    agent = {"agent": f"agent-{number}", "owner": "o@example.com", "purpose": "bench", "kind": "bench"}
    token = {"sha256": f"{number:064x}", "holder": "o@example.com", "expires": "2099-01-01T00:00:00Z"}
    return {**agent, **({"tokens": [token]} if number else {"anonymous": True})}


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env={"GOGC": "400"})


@asynccontextmanager
async def _serving(root: Path) -> AsyncGenerator[UnixTransport]:
    """Run OPA with the bundle while the block runs."""
    socket = root / "opa.sock"
    command = [
        str(find()),
        "run",
        "--server",
        "--addr",
        f"unix://{socket}",
        "--log-level",
        "error",
        "--skip-verify",
        "-b",
    ]
    with _started([*command, str(root / "bundle.tar.gz")]) as process:
        try:
            while not socket.exists():
                if process.poll() is not None:
                    raise ChildProcessError("OPA did not start")
                await asyncio.sleep(0.02)  # noqa: TID251 - until the socket is there
            exchange = UnixTransport(socket)
            yield exchange
            await exchange.close()
        finally:
            process.kill()
