"""The managed OPA: a supervised child on a Unix socket in a fresh private directory.

Rule 1: an OPA older than 1.21.3 never starts (GHSA-g2pf-6v5v-qcc8: it accepts a bundle with its signature removed).
Rule 2: OPA never outlives this process, however this process ends (see `parent_death`).
Rule 3: if OPA dies it is restarted on the same socket path, after a pause that grows while it keeps dying.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec
from msgspec import Struct

from gateway.opa import configuration, parent_death
from gateway.opa.backoff import Backoff
from gateway.opa.binary import refusal, version
from gateway.opa.configuration import BundleSource, Memory
from gateway.opa.runtime_dir import RuntimeDir, sweep

_STOP: Final = 3.0
"""Seconds between SIGTERM and SIGKILL."""
_SOCKET_PATH_LIMIT: Final = 100
"""Bytes; the kernel's limit for the path of a Unix socket is 108 on Linux and 104 on macOS."""


class _Entry(Struct):
    level: str
    msg: str


class ReportEvent(Protocol):
    """Writer of one event to the log."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


class OpaUnsuitableError(Exception):
    """The OPA binary cannot be used; the message says why and what to do."""


class ManagedOpa:
    """One supervised OPA that listens on `socket`."""

    def __init__(
        self,
        binary: Path,
        source: BundleSource,
        *,
        report: ReportEvent,
        memory: Memory | None = None,
        keeper: Literal["kernel", "pipe"] = "kernel" if sys.platform == "linux" else "pipe",
    ) -> None:
        self._binary = binary
        self._source = source
        self._report = report
        self._memory = memory or Memory()
        self._keeper = keeper
        sweep()
        self._lair = RuntimeDir()
        self._directory = self._lair.path
        self.socket: Final = self._directory / "opa.sock"
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._logging: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process id of OPA (of its watching parent if the kernel does not end it), 0 while it is not running."""
        return 0 if self._process is None or self._process.returncode is not None else self._process.pid

    async def check(self) -> None:
        """Prepare the start. Raises OpaUnsuitableError if this OPA can never run here."""
        if len(os.fsencode(self.socket)) > _SOCKET_PATH_LIMIT:
            raise OpaUnsuitableError(
                f"the path of OPA's socket is too long: {self.socket}. Set TMPDIR to a shorter directory."
            )
        await _refuse_unsuitable(self._binary)
        configuration.write(self._directory, self._source)

    def start(self) -> None:
        """Start OPA after `check`, and keep it running."""
        self._watch = asyncio.create_task(self._keep_running(), name="opa")

    async def stop(self) -> None:
        """End OPA and remove its directory."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        if self._process is not None:
            await self._end(self._process)
        if self._logging is not None:
            await self._logging
        self._lair.remove()

    async def _keep_running(self) -> None:
        pace = Backoff()
        while True:
            pace.started()
            code = await self._once()
            pause = pace.pause()
            self._report("opa_ended", code=code, restart_in_s=pause)
            await asyncio.sleep(pause)  # noqa: TID251 - the backoff is a real pause

    async def _once(self) -> int | str:
        """Return the exit code of one OPA, or the reason why it did not start."""
        try:
            process = self._process = await self._spawn()
        except OSError as error:
            return error.strerror or str(error)
        self._report("opa_started", pid=process.pid, socket=str(self.socket))
        code = await process.wait()
        _kill_group(process.pid)
        return code

    async def _spawn(self) -> asyncio.subprocess.Process:
        command = configuration.command(self._binary, self._directory, self.socket)
        read_end, write_end = os.pipe()
        self._logging = asyncio.create_task(self._log(read_end), name="opa log")
        try:
            return await asyncio.create_subprocess_exec(
                *[sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), self._keeper, *command],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=write_end,
                cwd=self._directory,
                env=configuration.environment(self._memory),
                start_new_session=True,
            )
        finally:
            os.close(write_end)

    async def _log(self, pipe: int) -> None:
        """Report OPA's log until it ends.

        The pipe is created here: asyncio waits for a process until its pipes are closed, and an OPA that lost its
        parent would keep one open.
        """
        stream = asyncio.StreamReader()
        reading = asyncio.StreamReaderProtocol(stream)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: reading, os.fdopen(pipe, "rb", 0))
        said = ""
        try:
            while line := await _line(stream):
                message = _message(line)
                if message != said:  # OPA repeats the message at every attempt while its bundle service is unreachable
                    self._report("opa_log", message=message)
                said = message
        finally:
            transport.close()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP)
            except TimeoutError:
                self._report("opa_killed", pid=process.pid)
        _kill_group(process.pid)
        await process.wait()


async def _refuse_unsuitable(binary: Path) -> None:
    named = await asyncio.to_thread(version, binary)
    reason = refusal(named)
    if reason is not None:
        raise OpaUnsuitableError(f"{binary} cannot be used: {reason}.")


async def _line(stream: asyncio.StreamReader) -> bytes:
    """Return the next line, empty at the end. A line over the reader's limit is replaced by a note."""
    try:
        return await stream.readline()
    except ValueError:
        return b"(a line that is too long)\n"


def _message(line: bytes) -> str:
    """Return the level and message of a line of OPA's log, without its time."""
    try:
        entry = msgspec.json.decode(line, type=_Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return line.decode(errors="replace").rstrip()
    return f"{entry.level}: {entry.msg}"


def _kill_group(pid: int) -> None:
    """Kill the remaining processes of the group; usually there are none."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:  # macOS raises this for a group of zombies
        return
