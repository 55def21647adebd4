"""Detect changes in a directory, by kernel notifications (inotify) and by periodic checks.

Rule 1: notifications save time and wake-ups, but nothing depends on them. They do not cover changes that another
machine makes on a shared disk, so periodic checks continue, at a low rate.
Rule 2: while nothing changes, there are few wake-ups; `watchfiles` polls 20 times a second, in its own thread.
Rule 3: without inotify (another system, no directory yet, no watch left) checks are frequent, and inotify is tried
again.
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
"""Interval of checks while the kernel reports changes."""
UNTOLD_LOOK_S: Final = 0.02
"""Interval of checks while it does not."""

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
        with contextlib.suppress(TimeoutError):  # `wait_for` loses a cancellation that arrives with the event
            async with asyncio.timeout(UNTOLD_LOOK_S if self._watch is None else TOLD_LOOK_S):
                await self._changed.wait()
        self._changed.clear()

    def end(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch)
            os.close(self._watch)
            self._watch = None

    def _begin(self) -> None:
        """Start inotify; the check after that finds earlier changes."""
        self._watch = _watch(self._directory)
        if self._watch is not None:
            asyncio.get_running_loop().add_reader(self._watch, self._told)
            self._changed.set()

    def _told(self) -> None:
        """Read the notification; if the directory itself was replaced, watch the new one."""
        if self._watch is not None and _gone(os.read(self._watch, _ENOUGH)):
            self.end()
        self._changed.set()


@contextmanager
def noticing(directory: Path) -> Generator[DirectoryNotifier]:
    """Watch the directory for changes while the block runs."""
    notice = DirectoryNotifier(directory)
    try:
        yield notice
    finally:
        notice.end()


def _watch(directory: Path) -> int | None:
    """Return the descriptor of the kernel's notifications; None if there are none."""
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
    """Return whether one of these events reports that the directory no longer exists."""
    place = 0
    while place < len(events):
        mask = int.from_bytes(events[place + 4 : place + 8], sys.byteorder)
        if mask & _GONE:
            return True
        place += 16 + int.from_bytes(events[place + 12 : place + 16], sys.byteorder)
    return False
