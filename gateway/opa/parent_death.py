"""Run a program that cannot outlive its parent: `python -I -S parent_death.py PARENT_PID KEEPER PROGRAM ARGUMENT...`.

Rule 1: on Linux the kernel ends the program with its parent (`PR_SET_PDEATHSIG`), and the program replaces this
process.
Rule 2: elsewhere this process watches: standard input is a pipe that only the parent holds. When it closes, this
process kills the program.
Rule 3: it imports nothing of the package, so that it starts fast and with an empty environment.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from typing import Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1
_TICK_MS: Final = 200
"""Interval of the check whether the watched program has ended."""


def main(argv: list[str]) -> NoReturn:
    """Become the program, or watch it; `KEEPER` is `kernel` or `pipe`."""
    starter, keeper, program = int(argv[1]), argv[2], argv[3:]
    if keeper == "kernel":
        _become(starter, program)
    _watch(program)


def _become(starter: int, program: list[str]) -> NoReturn:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit(f"parent_death: PR_SET_PDEATHSIG failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != starter:  # the parent died before the signal was set, so nothing would ever end the program
        sys.exit("parent_death: the parent process is gone")
    os.execve(program[0], program, _environment())  # noqa: S606 - no shell is wanted


def _environment() -> dict[str, str]:
    """Return the environment of this process without LC_CTYPE, which Python adds if no locale is set (PEP 538)."""
    return {name: value for name, value in os.environ.items() if name != "LC_CTYPE"}


def _watch(program: list[str]) -> NoReturn:
    child = subprocess.Popen(program, stdin=subprocess.DEVNULL, env=_environment())
    signal.signal(signal.SIGTERM, lambda _signal, _frame: child.terminate())
    pipe = select.poll()
    pipe.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    while child.poll() is None:
        if pipe.poll(_TICK_MS):
            child.kill()
    sys.exit(child.wait())


if __name__ == "__main__":
    main(sys.argv)
