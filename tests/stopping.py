"""Stopping processes for a while, as a debugger or a starved machine does.

Rule 1: a process is stopped when the kernel says so for every thread, not when the signal was sent.
"""

import os
import signal
import time
from pathlib import Path
from typing import Final

_DEADLINE_S: Final = 10.0


def stop(pid: int) -> None:
    """Stop a process that we started; returns when none of its threads runs any more."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + _DEADLINE_S
    while not _stopped(pid):
        if time.monotonic() > end:
            raise TimeoutError(f"process {pid} goes on after SIGSTOP")
        time.sleep(0.001)  # noqa: TID251 - until the kernel has stopped it


def _stopped(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(thread.read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] in "TZX" for thread in threads)
