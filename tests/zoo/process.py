"""A server of an entry as a process, on one port for its whole life, so that it can be restarted there.

Rule 1: each start has an empty working directory; what an earlier run left is not there.
Rule 2: it is ready if its port answers, and gone if its whole process group is: a bridge leaves no server behind.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.zoo.entry import Run
from tests.zoo.environments import Environment

_TICK_S: Final = 0.05
_ENDING_S: Final = 10


class ServerProcess:
    """The server of a run; `url` is where it answers."""

    def __init__(self, run: Run, environment: Environment, directory: Path) -> None:
        """Take a directory for what the server writes and prints; nothing is started yet."""
        variant = run.entry.variants.get(run.variant)
        self._port: Final = _free()
        self._directory: Final = directory / "server"
        self._log: Final = directory / "server.log"
        self._timeout_s: Final = run.entry.timeout_s
        wanted = {"port": str(self._port), "directory": str(self._directory)}
        more = variant.arguments if variant else ()
        self._command: Final = environment.command((*run.entry.command, *more), **wanted)
        declared = {**run.entry.environment, **(variant.environment if variant else {})}
        values = environment.command(tuple(declared.values()), **wanted)
        self._environment: Final[Mapping[str, str]] = dict(zip(declared, values, strict=True))
        self._process: subprocess.Popen[bytes] | None = None
        self.url: Final = run.entry.url.format(**wanted)

    def start(self) -> None:
        """Start the server in an empty directory, and wait until its port answers."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._directory,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + self._timeout_s
        while not self._answers():
            assert self._process.poll() is None, f"{self._command} ended with {self._process.returncode}: {self.log}"
            assert time.monotonic() < end, f"{self._command} does not listen on {self._port}: {self.log}"
            time.sleep(_TICK_S)  # noqa: TID251 - the rhythm in which the port is tried

    def stop(self) -> None:
        """End the server and what it started: by SIGTERM, after a while by SIGKILL."""
        if self._process is None:
            return
        group = self._process.pid
        _signal(group, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_S)
        _signal(group, signal.SIGKILL)
        self._process.wait()
        self._process = None

    @property
    def log(self) -> str:
        """Return the end of what the server printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-3_000:] if self._log.exists() else ""

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _free() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
