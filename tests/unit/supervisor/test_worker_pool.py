"""Workers: started, queried, replaced and drained."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.listening.sockets import Unbound, bind
from gateway.settings import SettingProblems, load
from gateway.supervisor.control_channel import Enforces, Start
from gateway.supervisor.settings_codec import packed
from gateway.supervisor.worker_pool import WorkerProcess, WorkerSlot
from tests.unit.opa.support import Log, until
from tests.unit.supervisor.support import ROOT, alive

FAKE = str(Path(__file__).with_name("worker.py"))
Hire = Callable[..., WorkerProcess]


@pytest_asyncio.fixture
async def hire(tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hire]:
    """Run workers with these commands until the test ends."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    settings = load(None, {"MCP_ADMISSION_STATE_DIRECTORY": str(tmp_path)})
    listener = bind("127.0.0.1", 0, 1)
    assert not isinstance(settings, SettingProblems)
    assert not isinstance(listener, Unbound)
    hired: list[tuple[WorkerProcess, asyncio.Task[None]]] = []

    def hire(*command: str, silent_s: float = 30) -> WorkerProcess:
        start = Start(settings=packed(settings), worker=0, opa_socket="", sealing_keys=(b"k" * 64,), digest_key=b"d")
        worker = WorkerProcess(
            WorkerSlot(start=start, listener=listener[0], command=command, drain_s=1, silent_s=silent_s), report=log
        )
        hired.append((worker, asyncio.create_task(worker.run())))
        return worker

    yield hire
    for worker, running in hired:
        worker.kill()
        await asyncio.wait_for(running, 30)
    listener[0].close()


@pytest.fixture
def log() -> Log:
    return Log()


async def test_a_worker_that_stops_answering_is_killed_and_replaced(hire: Hire, log: Log) -> None:
    worker = hire(FAKE, silent_s=5)
    await asyncio.wait_for(worker.started.wait(), 30)
    pid, started, silent = worker.pid, len(log.named("worker_started")), len(log.named("worker_unresponsive"))
    os.kill(pid, signal.SIGSTOP)
    assert (await worker.readiness()).missing == ("answer",)
    await until(lambda: len(log.named("worker_started")) > started)
    assert len(log.named("worker_unresponsive")) == silent + 1
    assert not alive(pid)


async def test_a_worker_that_never_starts_is_killed_and_tried_again(hire: Hire, log: Log) -> None:
    worker = hire("-c", "import signal; signal.pause()", silent_s=0.2)
    await until(lambda: len(log.named("worker_ended")) >= 2)
    assert {event["code"] for event in log.named("worker_ended")} == {-signal.SIGKILL}
    assert (await worker.readiness()).missing == ("running",)


async def test_a_worker_that_talks_nonsense_is_killed(hire: Hire, log: Log) -> None:
    hire("-c", "import socket, sys; socket.socket(fileno=int(sys.argv[1])).sendall(b'\\0\\0\\0\\3abc'); input()")
    await until(lambda: bool(log.named("worker_protocol_error")))
    await until(lambda: bool(log.named("worker_ended")))


async def test_library_logs_of_a_worker_reach_the_supervisors_log(hire: Hire, log: Log) -> None:
    worker = hire(FAKE)
    await asyncio.wait_for(worker.started.wait(), 30)
    listener = socket.create_connection(("127.0.0.1", _port(worker)))
    listener.sendall(b"GET /crash HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: bool(log.named("log")))
    assert "ZeroDivisionError" in str(log.named("log")[0]["message"])
    listener.close()


async def test_confirmations_reach_a_worker_and_its_successor(hire: Hire, log: Log) -> None:
    worker = hire(FAKE)
    worker.confirm(7, "dev@aaaaaaaaaaaa.1")
    await until(lambda: len(log.named("confirmed")) == 1)
    worker.beat()
    await until(lambda: len(log.named("beaten")) == 1)
    os.kill(worker.pid, signal.SIGKILL)
    await until(lambda: len(log.named("confirmed")) == 2)
    assert log.named("confirmed")[1] == {"unix_ns": "7", "revision": "dev@aaaaaaaaaaaa.1", "worker": 0}


async def test_a_worker_reports_its_revisions_and_none_while_it_is_gone(hire: Hire) -> None:
    worker, said = hire(FAKE), list[Enforces | None]()
    worker.on_enforces = lambda: said.append(worker.enforces)
    known = Enforces("dev@aaaaaaaaaaaa.1", "emergency@bbbbbbbbbbbb.2")
    await until(lambda: said == [known])
    os.kill(worker.pid, signal.SIGKILL)
    await until(lambda: said == [known, None, known])


async def test_a_worker_drained_while_it_waits_for_its_next_try_does_not_start_again(hire: Hire, log: Log) -> None:
    worker = hire("-c", "raise SystemExit(1)")
    await until(lambda: len(log.named("worker_ended")) >= 4)
    started = len(log.named("worker_started"))
    await asyncio.wait_for(worker.drain(), 30)
    assert len(log.named("worker_started")) == started


def _port(worker: WorkerProcess) -> int:
    return worker._berth.listener.getsockname()[1]
