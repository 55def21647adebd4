"""Workers and supervisors killed with -9 while calls run: what reached the server is in the journal, always.

Rule 1: the server's own journal is compared with the gateway's: a call that was forwarded has its `decided` record.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.faults.behind import Behind, standing
from tests.running import until
from tests.unit.supervisor.support import alive

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def behind(tmp_path: Path) -> AsyncGenerator[Behind]:
    """A gateway with two workers that has served a call."""
    async with standing(tmp_path, settings={"workers": 2}) as made:
        await made.line.called()
        yield made


async def calling(behind: Behind, name: str, enough: asyncio.Event) -> None:
    """Call without end, each call under a name of its own, whatever becomes of the connection."""
    number = 0
    while not enough.is_set():
        number += 1
        with contextlib.suppress(OSError, ValueError, IndexError):
            await behind.line.called("echo", {"text": f"{name}-{number}"})


def forwarded(behind: Behind) -> set[str]:
    """Return the names of the calls that reached the server."""
    return {str(effect.json["params"]["arguments"].get("text")) for effect in behind.server.effects}


def decided(behind: Behind) -> set[str]:
    """Return the names of the calls that the journal says were allowed."""
    allowed = [record for record in behind.gateway.records("decided") if record["outcome"] == "allow"]
    return {str(record["input"]["arguments"].get("text")) for record in allowed}


async def under_fire(behind: Behind, kill: Any) -> None:
    """Let calls run while `kill` does its work."""
    enough = asyncio.Event()
    calls = [asyncio.create_task(calling(behind, f"caller{number}", enough)) for number in range(4)]
    try:
        await kill()
    finally:
        enough.set()
        await asyncio.gather(*calls)


async def more(behind: Behind, count: int) -> None:
    """Wait until so many calls more have reached the server."""
    wanted = len(behind.server.effects) + count

    async def found() -> bool | None:
        return True if len(behind.server.effects) >= wanted else None

    await until(found, lambda: f"{len(behind.server.effects)} of {wanted} calls arrived")


async def test_every_call_that_a_killed_worker_forwarded_is_in_the_journal(behind: Behind) -> None:
    killed: list[int] = []

    async def kill() -> None:
        for _ in range(3):
            await more(behind, 20)
            pid = next(pid for pid in behind.pids("worker_started") if alive(pid))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        await more(behind, 20)

    await under_fire(behind, kill)
    assert not any(alive(pid) for pid in killed)
    assert len(behind.pids("worker_started")) >= 2 + len(killed)
    assert forwarded(behind) <= decided(behind)
    assert len(forwarded(behind)) >= 80
    await behind.gateway.ready()


async def test_every_call_that_a_killed_gateway_forwarded_is_in_the_journal(behind: Behind) -> None:
    opa, workers = behind.pids("opa_started"), behind.pids("worker_started")

    async def kill() -> None:
        await more(behind, 40)
        behind.gateway.process.kill()
        await until(gone, lambda: "a process lives on")

    async def gone() -> bool | None:
        return None if any(alive(pid) for pid in (*opa, *workers)) else True

    await under_fire(behind, kill)
    assert forwarded(behind) <= decided(behind)
    assert len(forwarded(behind)) >= 40
