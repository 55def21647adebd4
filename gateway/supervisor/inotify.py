"""Notices that something in a directory may have changed: by the kernel's word (inotify), and by looking now and then.

Rule 1: the kernel's word saves time and wake-ups, and is never relied on: it says nothing of what another machine
changes on a shared disk, so that looking goes on, rarely.
Rule 2: nothing wakes up while nothing changes; `watchfiles` looks 20 times a second, in a thread of its own.
Rule 3: without it (another system, no directory yet, no watch left) looking is frequent, and it is asked for again.
"""

import asyncio
import contextlib
import ctypes
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

TOLD_LOOK_S: Final = 1.0
"""How often to look where the kernel tells of changes."""
UNTOLD_LOOK_S: Final = 0.02
"""How often to look where it does not."""

_CHANGES: Final = 0x08 | 0x40 | 0x80 | 0x100 | 0x200
"""Written and closed, moved away, moved here, created, deleted (inotify(7))."""
_GONE: Final = 0x400 | 0x800
"""The directory itself was deleted or moved."""
_ONLY_DIRECTORIES: Final = 0x0100_0000
_ENOUGH: Final = 1 << 16


class DirectoryNotifier:
    """Waits for changes in one directory; made by `noticing` only."""

    def __init__(self, directory: Path) -> None:
        self._directory: Final = directory
        self._changed: Final = asyncio.Event()
        self._watch: int | None = None

    async def change(self) -> None:
        """Return when something may have changed since the last time."""
        if self._watch is None:
            self._begin()
        with contextlib.suppress(TimeoutError):  # `wait_for` loses a cancellation that comes with the event
            async with asyncio.timeout(UNTOLD_LOOK_S if self._watch is None else TOLD_LOOK_S):
                await self._changed.wait()
        self._changed.clear()

    def end(self) -> None:
        """Watch no more."""
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch)
            os.close(self._watch)
            self._watch = None

    def _begin(self) -> None:
        """Ask the kernel; what changed before it began to tell is found by the look after that."""
        self._watch = _watch(self._directory)
        if self._watch is not None:
            asyncio.get_running_loop().add_reader(self._watch, self._told)
            self._changed.set()

    def _told(self) -> None:
        """Take the kernel's word, and begin anew: a directory that has been replaced is another one."""
        if self._watch is not None and _gone(os.read(self._watch, _ENOUGH)):
            self.end()
        self._changed.set()


@contextmanager
def noticing(directory: Path) -> Generator[DirectoryNotifier]:
    """Notice what changes in the directory while the block runs."""
    notice = DirectoryNotifier(directory)
    try:
        yield notice
    finally:
        notice.end()


def _watch(directory: Path) -> int | None:
    """The descriptor on which the kernel tells of changes; None where it tells of none."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    descriptor = int(library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if descriptor < 0:
        return None
    if library.inotify_add_watch(descriptor, os.fsencode(directory), _CHANGES | _GONE | _ONLY_DIRECTORIES) < 0:
        os.close(descriptor)
        return None
    return descriptor


def _gone(events: bytes) -> bool:
    """Whether one of these events says that the directory is not there any more."""
    place = 0
    while place < len(events):
        mask = int.from_bytes(events[place + 4 : place + 8], sys.byteorder)
        if mask & _GONE:
            return True
        place += 16 + int.from_bytes(events[place + 12 : place + 16], sys.byteorder)
    return False
