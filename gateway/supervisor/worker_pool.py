"""The workers as the supervisor sees them: started, queried, replaced when they die, and drained at the end.

Rule 1: a worker that dies is started again after a delay, which grows if it keeps dying.
Rule 2: a worker that does not answer for too long counts as dead, and is killed.
Rule 3: no worker survives the supervisor: it ends when the channel ends, and draining is limited in time.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

import gateway
from gateway.opa.backoff import Backoff
from gateway.opa.process import ReportEvent
from gateway.opa.readiness_report import Readiness
from gateway.protocol.ownership_exchange import Claim, Held
from gateway.supervisor.control_channel import (
    TO_SUPERVISOR,
    About,
    Answered,
    Claimed,
    ControlChannel,
    Drain,
    Enforces,
    ForwardedEvent,
    PolicyConfirmed,
    Start,
    Started,
    Told,
    WorkerHeartbeat,
    opened,
)
from gateway.supervisor.questions_to_worker import ANSWER_S, Questions

COMMAND: Final = ("-P", "-m", "gateway.supervisor")
_LOOK_S: Final = 1.0
_MEMORY_RETURNED: Final = {"MALLOC_MMAP_THRESHOLD_": "1048576"}  # makes glibc return memory of large results
_NOT_RUNNING: Final = Readiness(missing=("running",))
_SILENT: Final = Readiness(missing=("answer",))


class WorkerSlot(Struct, frozen=True, kw_only=True):
    """The start parameters of a worker; the same at every start."""

    start: Start
    listener: socket.socket
    command: Sequence[str] = COMMAND
    drain_s: float = 20
    silent_s: float = 30
    """Seconds without an answer, at the start or later, after which a worker is killed."""


class WorkerProcess:
    """The worker process in one slot, restarted when it ends."""

    def __init__(self, berth: WorkerSlot, report: ReportEvent) -> None:
        self._berth = berth
        self._report = report
        self._number = berth.start.worker
        self._process: asyncio.subprocess.Process | None = None
        self._channel: ControlChannel | None = None
        self._questions = Questions()
        self._over = asyncio.Event()
        self._word: PolicyConfirmed | None = None
        self.started = asyncio.Event()
        self.latest: Readiness = _NOT_RUNNING
        """Its last reported readiness; it is queried every second."""
        self.enforces: Enforces | None = None
        """The policy and stops that it enforces; None while unknown."""
        self.on_enforces: Callable[[], None] = lambda: None
        """Called when `enforces` changes."""
        self.on_claim: Callable[[WorkerProcess, Claimed], None] = lambda worker, claimed: worker.answer(
            claimed.number, None
        )
        """Called with the worker's question to the other workers."""

    @property
    def pid(self) -> int:
        """The process id; 0 if there is none."""
        return 0 if self._process is None or self._process.returncode is not None else self._process.pid

    async def run(self) -> None:
        """Keep a worker running until it is drained."""
        pace = Backoff()
        while not self._over.is_set():
            pace.started()
            code = await self._once()
            if not self._over.is_set():
                pause = pace.pause()
                self._report("worker_ended", worker=self._number, code=code, restart_in_s=pause)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), pause)

    async def readiness(self) -> Readiness:
        """Return the worker's current readiness."""
        told = await self._ask("readiness")
        if told is None:
            self.latest = _SILENT if self.started.is_set() else _NOT_RUNNING
        else:
            self.latest = told.readiness or _SILENT
        return self.latest

    async def samples(self) -> bytes | None:
        """Return the worker's metric samples as MessagePack; None if it does not answer."""
        told = await self._ask("samples")
        return None if told is None else told.samples

    async def held(self, claim: Claim) -> Held | None:
        """Return the names that the principal of a claim owns in the worker; empty if the worker does not run."""
        if self._channel is None or not self.started.is_set():
            return Held(texts=("",) * len(claim.names))
        told = await self._ask("claim", claim)
        return None if told is None else told.held

    def answer(self, number: int, held: Held | None) -> None:
        """Answer the worker's question about a claim."""
        self._send(Answered(number, held))

    def beat(self) -> None:
        """Make the worker check at once for another revision to enforce."""
        self._send(WorkerHeartbeat())

    def confirm(self, unix_ns: int, revision: str) -> None:
        """Report to the worker, and to its replacements, when this policy was confirmed."""
        self._word = PolicyConfirmed(unix_ns, revision)
        self._send(self._word)

    async def drain(self) -> None:
        """Let the worker finish, and kill it if it takes too long."""
        self._over.set()
        if self._channel is not None:
            self._channel.send(Drain())
        if self._process is not None:
            await self._ended(self._process, self._berth.drain_s + ANSWER_S)

    def kill(self) -> None:
        """End the worker at once."""
        self._over.set()
        self._signal(signal.SIGKILL)

    async def _once(self) -> int:
        ours, theirs = socket.socketpair()
        try:
            self._process = await self._spawn(theirs)
        finally:
            theirs.close()
        self._channel = await opened(ours)
        self._channel.send(self._berth.start)
        if self._over.is_set():
            self._channel.send(Drain())
        self._report("worker_started", worker=self._number, pid=self._process.pid)
        watch = asyncio.create_task(self._watch())
        try:
            await self._converse(self._channel)
            return await self._ended(self._process, self._berth.drain_s + ANSWER_S)
        finally:
            watch.cancel()
            self._gone()

    async def _spawn(self, control: socket.socket) -> asyncio.subprocess.Process:
        listener = self._berth.listener
        root = str(Path(gateway.__file__).parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *self._berth.command,
            str(control.fileno()),
            str(listener.fileno()),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(control.fileno(), listener.fileno(), *self._berth.start.inherited),
            env={**_MEMORY_RETURNED, **os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # the terminal's Ctrl-C is for the supervisor, which then drains
        )

    async def _converse(self, channel: ControlChannel) -> None:
        """Handle the worker's messages until it ends."""
        while (content := await channel.receive()) is not None:
            try:
                message = TO_SUPERVISOR.decode(content)
            except msgspec.DecodeError as error:
                self._report("worker_protocol_error", worker=self._number, error=str(error))
                self._signal(signal.SIGKILL)
                return
            match message:
                case Started():
                    self.started.set()
                    if self._word is not None:
                        channel.send(self._word)
                case Enforces():
                    self._enforcing(message)
                case Told():
                    self._questions.answer(message)
                case Claimed():
                    self.on_claim(self, message)
                case ForwardedEvent(name=name, fields=fields):
                    self._log(name, fields)

    def _enforcing(self, enforces: Enforces | None) -> None:
        self.enforces = enforces
        self.on_enforces()

    def _send(self, message: Answered | WorkerHeartbeat | PolicyConfirmed) -> None:
        if self._channel is not None and self.started.is_set():
            self._channel.send(message)

    def _log(self, name: str, fields: dict[str, Any]) -> None:
        self._report(name, **(fields | {"worker": self._number}))

    async def _watch(self) -> None:
        """Kill the worker if it does not answer for too long."""
        limit, silent = self._berth.silent_s, 0.0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.started.wait(), limit)
            while silent < limit:
                silent = 0.0 if await self.readiness() != _SILENT else silent + ANSWER_S
                await asyncio.sleep(_LOOK_S)  # noqa: TID251 - the interval between checks
        self._report("worker_unresponsive", worker=self._number, killed_after_s=limit)
        self._signal(signal.SIGKILL)

    async def _ask(self, about: About, claim: Claim | None = None) -> Told | None:
        if self._channel is None or not self.started.is_set():
            return None
        return await self._questions.ask(self._channel, about, claim)

    async def _ended(self, process: asyncio.subprocess.Process, seconds: float) -> int:
        try:
            return await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            self._report("worker_killed", worker=self._number, pid=process.pid)
            self._signal(signal.SIGKILL)
            return await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def _gone(self) -> None:
        self.started.clear()
        self._enforcing(None)
        self._questions.end()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
