"""Journals of the hub: complete lines are appended, and a failed step is removed again.

Rule 1: once a function returns, its change is durable. If it fails, nothing has changed.
"""

import os
from pathlib import Path
from typing import Final

LOCK: Final = ".lock"
"""Lock file of the hub's directory; one process writes at a time."""
MODE: Final = 0o644
"""Permissions of the hub's files, before the umask."""


def append(path: Path, line: bytes) -> int:
    """Append one line, given without its line end, to a journal; return the length before it, for `cut`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    try:
        before = _whole(descriptor)
        try:
            os.ftruncate(descriptor, before)  # a line that a crash truncated was never confirmed to a caller
            _pwrite(descriptor, line + b"\n", before)
            os.fsync(descriptor)
        except OSError:
            cut(path, before)
            raise
    finally:
        os.close(descriptor)
    return before


def cut(path: Path, length: int) -> None:
    """Remove what was added after `length`; remove the journal if nothing is left."""
    if length:
        os.truncate(path, length)
    else:
        path.unlink(missing_ok=True)


def lines(path: Path) -> list[bytes]:
    """Return the complete lines of a journal; an empty list if the journal does not exist."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    return content[: content.rfind(b"\n") + 1].splitlines()


def _whole(descriptor: int) -> int:
    """Return the length up to the end of the last complete line."""
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
