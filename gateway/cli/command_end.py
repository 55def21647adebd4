"""The end of a command that runs until stopped: a signal, or the reader of its output closes the pipe.

Rule 1: SIGTERM always ends the command. SIGINT and SIGHUP end it unless they were ignored at start: a shell ignores
SIGINT for background jobs, and `nohup` ignores SIGHUP for every job.
Rule 2: when the reader closes the pipe, the command ends immediately, not at its next line.
"""

import asyncio
import contextlib
import os
import select
import signal
import stat
import sys
from typing import Final

_IGNORABLE: Final = (signal.SIGINT, signal.SIGHUP)


def ending() -> asyncio.Event:
    """Return an event of the running loop that is set when the command must end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    heeded = [number for number in _IGNORABLE if signal.getsignal(number) is not signal.SIG_IGN]
    for number in (signal.SIGTERM, *heeded):
        loop.add_signal_handler(number, ended.set)
    with contextlib.suppress(OSError, ValueError):  # standard output may be closed
        _watch(loop, sys.stdout.fileno(), ended)
    return ended


def _watch(loop: asyncio.AbstractEventLoop, descriptor: int, ended: asyncio.Event) -> None:
    """Set the event when the other end of a pipe or socket is closed."""
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    def look() -> None:
        loop.remove_reader(descriptor)  # other readable data on a socket does not end the command
        if closed(descriptor):
            ended.set()

    loop.add_reader(descriptor, look)


def closed(descriptor: int) -> bool:
    """Return whether the other end of a pipe or socket is closed."""
    poll = select.poll()
    poll.register(descriptor, 0)  # errors and hang-ups are always reported
    return bool(poll.poll(0))
