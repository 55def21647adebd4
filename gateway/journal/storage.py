"""The file operations of the journal: create, write, seal.

Rule 1: before a segment is written, its space is reserved, its directory entry is on disk, and its writer has locked
it. The lock lasts as long as the segment is open. The length of the file is the number of written bytes, so that log
shippers can follow it. A file system without `fallocate` reserves no space: if it is full, second records may be lost.
Rule 2: a durable write returns only when the device has the data (`RWF_DSYNC`: one call for write and fdatasync).
Rule 3: the caller handles every error; no operation is retried on the same descriptor.
"""

import ctypes
import errno
import fcntl
import os
from pathlib import Path
from typing import Final, Protocol

from gateway.durable_files import sync_directory
from gateway.journal.file_access import admit_to_segment

_UNSUPPORTED: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
_KEEP_SIZE: Final = 1
"""FALLOC_FL_KEEP_SIZE (fallocate(2)): the length of the file does not change."""


class Storage(Protocol):
    """The file operations that the writer needs; every method may raise OSError."""

    def create(self, path: Path, size: int) -> int: ...
    def write(self, descriptor: int, data: bytes, offset: int, *, durable: bool) -> None: ...
    def seal(self, descriptor: int, length: int) -> None: ...


class Disk:
    """Segments in a local file system, readable by a group if one is named."""

    def __init__(self, group: str = "") -> None:
        self._group: Final = group

    def create(self, path: Path, size: int) -> int:
        """Return the descriptor of a new segment with `size` bytes reserved; on an error, remove the file."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if self._group:
                admit_to_segment(descriptor, self._group)
            _reserve(descriptor, size)
            os.fsync(descriptor)
            sync_directory(path.parent)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int, *, durable: bool) -> None:
        """Write `data` at `offset`; with `durable`, return only when the device has it."""
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
        """Release the unused space of the segment, and its lock."""
        try:
            os.ftruncate(descriptor, length)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def _reserve(descriptor: int, size: int) -> None:
    """Reserve space for the first `size` bytes of a file without making it longer, if its file system can."""
    allocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if allocate is None:
        return
    allocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    while allocate(descriptor, _KEEP_SIZE, 0, size):
        code = ctypes.get_errno()
        if code in _UNSUPPORTED:
            return
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))


def _write_and_sync(descriptor: int, view: memoryview, offset: int) -> None:
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written
    os.fdatasync(descriptor)
