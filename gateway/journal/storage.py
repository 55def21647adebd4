"""The only place where the journal touches its files: create, write, seal.

Rule 1: a segment is preallocated, locked by its writer for as long as it is open, and known to the directory on disk.
Rule 2: a durable write has returned only when the device has it (`RWF_DSYNC`: one call for write and fdatasync).
Rule 3: an error is the caller's to judge; nothing is tried twice on the same descriptor.
"""

import errno
import fcntl
import os
from pathlib import Path
from typing import Final, Protocol

from gateway.journal.access import admit_to_segment

_UNSUPPORTED: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


class Storage(Protocol):
    """What the writer needs of files; every method may raise OSError."""

    def create(self, path: Path, size: int) -> int: ...
    def write(self, descriptor: int, data: bytes, offset: int, *, durable: bool) -> None: ...
    def seal(self, descriptor: int, length: int) -> None: ...


class Disk:
    """Segments in a file system of this machine; a group may read them if one is named."""

    def __init__(self, group: str = "") -> None:
        self._group: Final = group

    def create(self, path: Path, size: int) -> int:
        """Return the descriptor of a new segment with `size` bytes of its own; nothing is left where that fails."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if self._group:
                admit_to_segment(descriptor, self._group)
            os.posix_fallocate(descriptor, 0, size)
            os.fsync(descriptor)
            sync_directory(path.parent)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int, *, durable: bool) -> None:
        """Write `data` at `offset`; with `durable` it is on the device afterwards."""
        flags = os.RWF_DSYNC if durable else 0
        view = memoryview(data)
        while view:
            try:
                written = os.pwritev(descriptor, [view], offset, flags)
            except OSError as error:
                if not flags or error.errno not in _UNSUPPORTED:
                    raise
                _write_and_sync(descriptor, view, offset)
                return
            view = view[written:]
            offset += written

    def seal(self, descriptor: int, length: int) -> None:
        """Give back what the segment did not use, and its lock."""
        try:
            os.ftruncate(descriptor, length)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_and_sync(descriptor: int, view: memoryview, offset: int) -> None:
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written
    os.fdatasync(descriptor)
