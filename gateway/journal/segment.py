"""The open segment, and the space that it reserves for second records.

Rule 1: after an error a segment is sealed and never written again; later records go to a new segment.
Rule 2: a first record never uses the space that calls in progress need for their second record.
"""

import errno
import time
from pathlib import Path
from typing import Final

from gateway.journal.file_access import prepare
from gateway.journal.segment_names import SegmentName
from gateway.journal.storage import Storage

_SHRINK: Final = (1, 8, 64)
"""The divisors of the wanted size: if there is not enough space, the next smaller size is tried."""
_SMALLEST: Final = 64 * 1024
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Segment:
    """One open segment: its descriptor, its written length and its size."""

    def __init__(self, storage: Storage, name: SegmentName, descriptor: int, size: int) -> None:
        """Set the segment that `storage` has just created."""
        self.name: Final = name
        self.size: Final = size
        self.length = 0
        self._begun: Final = time.monotonic()
        self._storage: Final = storage
        self._descriptor: Final = descriptor

    def room(self) -> int:
        """Return the number of free bytes."""
        return self.size - self.length

    def age_s(self) -> float:
        """Return the seconds since the segment was opened."""
        return time.monotonic() - self._begun

    def append(self, data: bytes, *, durable: bool) -> None:
        """Append `data`; on an error, nothing is added."""
        self._storage.write(self._descriptor, data, self.length, durable=durable)
        self.length += len(data)

    def seal(self) -> None:
        """Close the segment at its written length; ignore errors, which do not affect records that are durable."""
        try:
            self._storage.seal(self._descriptor, self.length)
        except OSError:
            return


def begin(storage: Storage, directory: Path, name: SegmentName, size: int, *, group: str = "") -> Segment:
    """Return a new segment, smaller if `size` bytes are not available; raise OSError if none is possible."""
    prepare(directory, group)
    for part in _SHRINK:
        wanted = max(size // part, _SMALLEST)
        try:
            return Segment(storage, name, storage.create(directory / str(name), wanted), wanted)
        except OSError as error:
            if error.errno not in _NO_SPACE or wanted == _SMALLEST or part == _SHRINK[-1]:
                raise
    raise AssertionError(directory)
