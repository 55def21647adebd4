"""Journals of the hub: whole lines are appended, and a failed step is cut off again.

Rule 1: what has returned is durable; what has failed has left everything as it was.
"""

import os
from pathlib import Path
from typing import Final

LOCK: Final = ".lock"
"""Lock file of the hub's directory; one process writes at a time."""
MODE: Final = 0o644
"""Permissions of the hub's files, less the umask."""


def append(path: Path, line: bytes) -> int:
    """Add one line, without its end, to a journal; return the length before it, for `cut`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    try:
        before = _whole(descriptor)
        try:
            os.ftruncate(descriptor, before)  # a line that a crash cut off was never confirmed to anybody
            _pwrite(descriptor, line + b"\n", before)
            os.fsync(descriptor)
        except OSError:
            cut(path, before)
            raise
    finally:
        os.close(descriptor)
    return before


def cut(path: Path, length: int) -> None:
    """Take back what was added after `length`; where that is all, the journal too."""
    if length:
        os.truncate(path, length)
    else:
        path.unlink(missing_ok=True)


def lines(path: Path) -> list[bytes]:
    """The whole lines of a journal; none where there is no journal."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    return content[: content.rfind(b"\n") + 1].splitlines()


def _whole(descriptor: int) -> int:
    """The length up to the end of the last whole line."""
    size = os.fstat(descriptor).st_size
    while size:
        start = max(0, size - 4096)
        found = os.pread(descriptor, size - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        size = start
    return 0


def _pwrite(descriptor: int, content: bytes, offset: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, offset)
        content, offset = content[written:], offset + written
