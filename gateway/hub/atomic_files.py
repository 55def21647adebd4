"""Files that are replaced whole, journals to which whole lines are added, and the lock that makes both one step.

Rule 1: what has returned is durable; what has failed has left everything as it was.
"""

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.journal.storage import sync_directory

LOCK: Final = ".lock"
_MODE: Final = 0o644


def replace(path: Path, content: bytes) -> None:
    """Put a complete file in the place of `path`; readers see the old one or the new one."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(fresh, content)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _write(fresh: Path, content: bytes) -> None:
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def append(path: Path, line: bytes) -> int:
    """Add one line, without its end, to a journal; return the length before it, for `cut`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
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


@contextmanager
def locked(directory: Path) -> Generator[None]:
    """The only writer of a directory while the block runs, among threads and processes."""
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
