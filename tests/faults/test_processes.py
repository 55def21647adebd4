"""Whichever process gets a SIGKILL: nothing is orphaned, and what should live on does."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio

from gateway.artifact.signing import read_key
from gateway.opa import parent_death
from gateway.opa.binary import obtain
from tests.unit.opa.support import TOKEN, Key, PolicyService, packed, until
from tests.unit.supervisor.support import Supervisor, alive


@pytest.fixture(scope="module")
def binary() -> Path:
    return obtain(print)


@pytest_asyncio.fixture
async def settings(binary: Path, tmp_path: Path) -> AsyncIterator[Mapping[str, Any]]:
    """Settings with a managed OPA that follows a bundle service."""
    key = Key()
    service = await PolicyService(key).start()
    service.publish(packed(read_key(key.private.encode()), 1).content, '"1"')
    (tmp_path / "key.pem").write_text(key.public)
    (tmp_path / "token").write_text(TOKEN + "\n")
    follow = {
        "urls": [service.source.url],
        "resource": service.source.resource,
        "token_file": str(tmp_path / "token"),
        "keys": [{"file": str(tmp_path / "key.pem")}],
    }
    yield {"opa": {"binary": str(binary)}, "policy": {"bundle": follow}}
    await service.stop()


async def opa_pid(supervisor: Supervisor, count: int = 1) -> int:
    """Return the pid of the `count`th OPA."""
    return int((await supervisor.event("opa_started", count))["pid"])


async def everybody(supervisor: Supervisor) -> set[int]:
    return await supervisor.worker_pids() | {await opa_pid(supervisor)}


async def test_nothing_survives_a_killed_supervisor(tmp_path: Path, settings: Mapping[str, Any]) -> None:
    async with Supervisor(tmp_path, settings) as supervisor:
        pids = await everybody(supervisor)
        assert len(pids) == 3
        assert all(alive(pid) for pid in pids)
        await supervisor.ended(signal.SIGKILL)
        await until(lambda: not any(alive(pid) for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_nothing_survives_an_ended_supervisor_nor_its_files(
    number: signal.Signals, tmp_path: Path, settings: Mapping[str, Any]
) -> None:
    async with Supervisor(tmp_path, settings) as supervisor:
        pids = await everybody(supervisor)
        directory = Path((await supervisor.event("opa_started"))["socket"]).parent
        assert await supervisor.ended(number) == 0
        assert not any(alive(pid) for pid in pids)
        assert not directory.exists()


async def test_a_killed_opa_is_replaced_on_the_same_socket_and_the_workers_live_on(
    tmp_path: Path, settings: Mapping[str, Any]
) -> None:
    async with Supervisor(tmp_path, settings) as supervisor:
        workers, first = await supervisor.worker_pids(), await opa_pid(supervisor)
        os.kill(first, signal.SIGKILL)
        second = await opa_pid(supervisor, 2)
        assert not alive(first)
        assert alive(second)
        sockets = {event["socket"] for event in supervisor.named("opa_started")}
        assert len(sockets) == 1
        assert await supervisor.worker_pids() == workers


async def test_killed_workers_are_replaced_and_opa_lives_on(tmp_path: Path, settings: Mapping[str, Any]) -> None:
    async with Supervisor(tmp_path, settings) as supervisor:
        opa, workers = await opa_pid(supervisor), await supervisor.worker_pids()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        await supervisor.event("worker_started", 4)
        assert not await supervisor.worker_pids() & workers
        assert alive(opa)
        assert len(supervisor.named("opa_started")) == 1


async def test_nothing_survives_when_supervisor_and_a_worker_are_killed_at_once(
    tmp_path: Path, settings: Mapping[str, Any]
) -> None:
    async with Supervisor(tmp_path, settings) as supervisor:
        pids = await everybody(supervisor)
        os.kill(min(await supervisor.worker_pids()), signal.SIGKILL)
        await supervisor.ended(signal.SIGKILL)
        await until(lambda: not any(alive(pid) for pid in pids))


async def test_a_supervisor_killed_while_it_starts_leaves_nothing(tmp_path: Path, settings: Mapping[str, Any]) -> None:
    async with Supervisor(tmp_path, settings) as supervisor:
        pid = await opa_pid(supervisor)
        await supervisor.ended(signal.SIGKILL)
        await until(lambda: not alive(pid))
        started = {int(event["pid"]) for event in supervisor.named("worker_started")}
        await until(lambda: not any(alive(pid) for pid in started))


STARTER = """
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-I", "-S", sys.argv[1], str(os.getpid()), sys.argv[2], sys.executable, "-c",
     "import os, time; print(os.getpid(), flush=True); time.sleep(60)"],
    stdin=subprocess.PIPE, start_new_session=True)
child.wait()
"""


@pytest.mark.parametrize("keeper", ["kernel", "pipe"])
async def test_a_program_ends_with_its_parent(keeper: Literal["kernel", "pipe"]) -> None:
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTER, parent_death.__file__, keeper, stdout=asyncio.subprocess.PIPE
    )
    assert starter.stdout is not None
    program = int(await asyncio.wait_for(starter.stdout.readline(), 30))
    assert alive(program)
    starter.kill()
    await starter.wait()
    await until(lambda: not alive(program))


async def test_no_program_starts_after_its_parent_is_gone(tmp_path: Path) -> None:
    witness = tmp_path / "started"
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-I", "-S", parent_death.__file__, "1", "kernel", "/usr/bin/touch", str(witness)],
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"parent process is gone" in said
    assert not witness.exists()
