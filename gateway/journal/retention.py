"""Remove segments by age and by total size, oldest first, and seal the segments of killed writers.

Rule 1: a segment that its writer holds open is neither sealed nor removed.
Rule 2: sealing an abandoned segment removes only its unused space. Earlier builds filled that space with NUL bytes.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.journal.segment_names import SegmentName, segments

_BLOCK: Final = 512
_CHUNK: Final = 1 << 20


class RetainedSegments(Struct, frozen=True, kw_only=True):
    """The bytes on disk and the number of the remaining segments."""

    space: int
    segments: int


def retain(directory: Path, *, before_ns: int, budget: int) -> RetainedSegments:
    """Remove the segments that ended before `before_ns`, and the oldest above `budget` bytes; return the rest.

    The end of a segment is the time of its last change; its name has only the time of its beginning.
    """
    found = [(name, path, _measures(path)) for name, path in segments(directory)]
    space = sum(size for _, _, (size, _) in found)
    removed = 0
    for _, path, (size, changed) in found:
        over = space > budget
        if (over or changed < before_ns) and _remove(path):
            space -= size
            removed += 1
    return RetainedSegments(space=space, segments=len(found) - removed)


def seal_abandoned(directory: Path) -> list[SegmentName]:
    """Release the unused space of segments that are no longer written; return those segments."""
    sealed: list[SegmentName] = []
    for name, path in segments(directory):
        with _held(path) as descriptor:
            if descriptor is not None and _cut(descriptor):
                sealed.append(name)
    return sealed


def _measures(path: Path) -> tuple[int, int]:
    """Return the bytes on disk and the time of the last change in nanoseconds; zeros if the file was just removed."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_blocks * _BLOCK, status.st_mtime_ns


def _remove(path: Path) -> bool:
    with _held(path) as descriptor:
        if descriptor is None:
            return False
        path.unlink(missing_ok=True)
        return True


@contextmanager
def _held(path: Path) -> Generator[int | None]:
    """Lock a segment and yield its descriptor; yield None if a writer holds it or it does not exist."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        yield None
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield None
    else:
        yield descriptor
    finally:
        os.close(descriptor)


def _cut(descriptor: int) -> bool:
    """Truncate a file after its content and keep its modification time; return whether there was unused space."""
    status = os.fstat(descriptor)
    length = _content(descriptor, status.st_size)
    unused = status.st_blocks * _BLOCK - status.st_size
    if length == status.st_size and unused < 2 * status.st_blksize:
        return False
    os.ftruncate(descriptor, length)
    os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.fsync(descriptor)
    return True


def _content(descriptor: int, size: int) -> int:
    """Return the offset of the first NUL if the file ends with one, or else `size`: lines of JSON have no NUL."""
    if not size or os.pread(descriptor, 1, size - 1) != b"\0":
        return size
    for offset in range(0, size, _CHUNK):
        found = os.pread(descriptor, _CHUNK, offset).find(b"\0")
        if found >= 0:
            return offset + found
    return size
