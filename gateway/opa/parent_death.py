"""Runs a program that cannot outlive its starter: `python -I -S leash.py STARTER_PID KEEPER PROGRAM ARGUMENT...`.

Rule 1: on Linux the kernel holds the leash (`PR_SET_PDEATHSIG`), and the program takes this process's place.
Rule 2: elsewhere this process keeps watch: standard input is a pipe that only the starter holds; when it ends, the
program is ended.
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
"""How often a watching leash looks whether its program has ended."""


def main(argv: list[str]) -> NoReturn:
    """Become the program, or watch over it; `KEEPER` is `kernel` or `pipe`."""
    starter, keeper, program = int(argv[1]), argv[2], argv[3:]
    if keeper == "kernel":
        _become(starter, program)
    _watch(program)


def _become(starter: int, program: list[str]) -> NoReturn:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit(f"leash: PR_SET_PDEATHSIG: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != starter:  # the starter died before the leash was on: nobody would ever end the program
        sys.exit("leash: the starting process is gone")
    os.execve(program[0], program, _environment())  # noqa: S606 - no shell is wanted


def _environment() -> dict[str, str]:
    """Return what this process was given; Python adds LC_CTYPE by itself where there is no locale (PEP 538)."""
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
