"""An OPA for one bundle under review, on a Unix socket in a private directory, running while a block runs.

Rule 1: the bundle is compiled with the stock capabilities first, so code that would use the network never runs.
Rule 2: the bundle is loaded from files that only this user can write, so no signature is required. Nothing else is ever
loaded.
Rule 3: only the stops that the caller names are in force; a stop is not part of a policy.
Rule 4: OPA never outlives this process (see `gateway.opa.parent_death`).
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import archived, canonical, pack
from gateway.artifact.stops_bundle import ENVIRONMENT, ROOT, Stop, document
from gateway.opa import configuration, parent_death
from gateway.opa.answer import BUNDLE
from gateway.opa.runtime_dir import RuntimeDir, sweep
from gateway.opa.transport import Broken, Exchanged
from gateway.opa.unix_transport import UnixTransport
from gateway.policy.rego.opa_cli import OpaCommand, complaints
from gateway.policy.smoke_test import ARCHIVE
from gateway.review.candidate import Candidate

CONNECTIONS: Final = 32
_START_S: Final = 60.0
_LOOK_S: Final = 0.02
_STOP_S: Final = 3.0
_HEALTH: Final = "/health?bundles=true"
_OK: Final = 200
_SELDOM_S: Final = 86_400
"""Polling interval: a bundle in a file does not change, so it is read once."""
_MEMORY: Final = configuration.Memory(gogc=1000, limit="1024MiB")

WHAT_IF: Final = """\
package review

# The result of each requirement for the question, by name.
requirements[name] := {
	"met": count(met) > 0,
	"met_by_arguments": count(by_arguments) > 0,
	"because": [message | some message in data.mcp.requirements[name].because],
} if {
	some name in data.mcp.admission.names
	met := [true | data.mcp.requirements[name].met == true]
	by_arguments := [true | data.mcp.requirements[name].met_by_arguments == true]
}

# The decisions on several questions, by number.
decisions[number] := found if {
	some number, question in input.questions
	found := data.mcp.admission.decision with input as question
}

state := found if {
	found := requirements with input as input.question
}

# The decision on a question with changed data: one JSON Patch (RFC 6902) for each root.
decision := found if {
	found := data.mcp.admission.decision with input as input.question
		with data.agents as json.patch(data.agents, input.patches.agents)
		with data.catalog as json.patch(data.catalog, input.patches.catalog)
		with data.enforcement as json.patch(data.enforcement, input.patches.enforcement)
		with data.index as json.patch(data.index, input.patches.index)
		with data.own as json.patch(data.own, input.patches.own)
		with data.rules as json.patch(data.rules, input.patches.rules)
}
"""
"""Rules for review queries, loaded in addition to the bundle; a gateway cannot query them."""
PATCHED: Final = ("agents", "catalog", "enforcement", "index", "own", "rules")
STATE: Final = "/v1/data/review/state?strict-builtin-errors=true"
TOGETHER: Final = "/v1/data/review/decisions?strict-builtin-errors=true"
IF: Final = "/v1/data/review/decision?provenance=true&strict-builtin-errors=true"
_MORE: Final = """
allow if {
	input.method == "POST"
	input.path[0] == "v1"
	input.path[1] == "data"
	input.path[2] == "review"
}
"""


class SidecarError(Exception):
    """The bundle cannot be queried; the message says why."""


class Binary(Struct, frozen=True):
    """The OPA to start, and the stock library whose capabilities limit the bundle."""

    opa: Path
    stock: Path


@contextlib.asynccontextmanager
async def asked(candidate: Candidate, binary: Binary, stops: Sequence[Stop] = ()) -> AsyncGenerator[UnixTransport]:
    """Yield a connection pool to an OPA that has loaded the bundle and these stops; raises SidecarError."""
    sweep()
    lair = RuntimeDir()
    process: asyncio.subprocess.Process | None = None
    exchange = UnixTransport(lair.path / "opa.sock", CONNECTIONS)
    try:
        await asyncio.to_thread(_prepare, candidate, binary, lair.path, stops)
        process = await _started(binary.opa, lair.path)
        await _loaded(process, exchange, lair.path)
        yield exchange
    finally:
        await exchange.close()
        if process is not None:
            await _end(process)
        lair.remove()


def _prepare(candidate: Candidate, binary: Binary, directory: Path, stops: Sequence[Stop]) -> None:
    (directory / ARCHIVE).write_bytes(archived(candidate.files, None))
    metadata = BundleMetadata(environment=ENVIRONMENT, seq=1)
    stopped = pack({"data.json": canonical(document(stops))}, metadata, key=None, roots=(ROOT,))
    (directory / f"{ROOT}.tar.gz").write_bytes(stopped.content)
    capabilities = f"--capabilities={binary.stock / 'capabilities.json'}"
    ran = OpaCommand(binary.opa).run("check", "--format=json", capabilities, "--bundle", ARCHIVE, within=directory)
    if ran.code:
        raise SidecarError("; ".join(str(problem) for problem in complaints(ran)[:5]))
    (directory / "config.json").write_text(json.dumps(_configuration(directory)), encoding="utf-8")
    (directory / "authz.rego").write_text(configuration.BOOT + _MORE, encoding="utf-8")
    (directory / "review.rego").write_text(WHAT_IF, encoding="utf-8")


def _configuration(directory: Path) -> dict[str, Any]:
    polling = {"min_delay_seconds": _SELDOM_S, "max_delay_seconds": _SELDOM_S}
    named = {BUNDLE: ARCHIVE, ROOT: f"{ROOT}.tar.gz"}
    return {
        "bundles": {name: {"resource": (directory / file).as_uri(), "polling": polling} for name, file in named.items()}
    }


async def _started(opa: Path, directory: Path) -> asyncio.subprocess.Process:
    command = [*configuration.command(opa, directory, directory / "opa.sock"), str(directory / "review.rego")]
    keeper = "kernel" if sys.platform == "linux" else "pipe"
    with (directory / "log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *[sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), keeper, *command],
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=directory,
            env=configuration.environment(_MEMORY),
            start_new_session=True,
        )


async def _loaded(process: asyncio.subprocess.Process, exchange: UnixTransport, directory: Path) -> None:
    """Wait until the bundle is active. OPA sends no event for this, so its health is polled."""
    try:
        async with asyncio.timeout(_START_S):
            while process.returncode is None:
                answer: Exchanged | Broken = await exchange.exchange(_HEALTH)
                if isinstance(answer, Exchanged) and answer.status == _OK:
                    return
                await asyncio.sleep(_LOOK_S)  # noqa: TID251 - the polling interval of OPA's health
    except TimeoutError:
        pass
    said = await asyncio.to_thread((directory / "log").read_text, encoding="utf-8", errors="replace")
    raise SidecarError(f"OPA does not load the bundle: {said[-1000:].strip() or 'OPA logged no error'}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _STOP_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
