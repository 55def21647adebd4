"""The segment that is being written, and the space it keeps back for second records.

Rule 1: after an error a segment is sealed and never written again; what follows goes into a new one.
Rule 2: a first record never takes the space that calls under way need for their second.
"""

import errno
import time
from pathlib import Path
from typing import Final

from gateway.journal.file_access import prepare
from gateway.journal.segment_names import SegmentName
from gateway.journal.storage import Storage

_SHRINK: Final = (1, 8, 64)
"""Where the wanted size is not to be had, a fraction of it is tried."""
_SMALLEST: Final = 64 * 1024
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Segment:
    """One open segment: its descriptor, how much of it is written, and how large it is."""

    def __init__(self, storage: Storage, name: SegmentName, descriptor: int, size: int) -> None:
        """Take a segment that `storage` has just created."""
        self.name: Final = name
        self.size: Final = size
        self.length = 0
        self._begun: Final = time.monotonic()
        self._storage: Final = storage
        self._descriptor: Final = descriptor

    def room(self) -> int:
        """Return how many bytes fit."""
        return self.size - self.length

    def age_s(self) -> float:
        """Return since when it is open, in seconds."""
        return time.monotonic() - self._begun

    def append(self, data: bytes, *, durable: bool) -> None:
        """Write `data` behind what is there; where that fails nothing was added."""
        self._storage.write(self._descriptor, data, self.length, durable=durable)
        self.length += len(data)

    def seal(self) -> None:
        """Close the segment at what was written; an error is of no consequence to what is already durable."""
        try:
            self._storage.seal(self._descriptor, self.length)
        except OSError:
            return


def begin(storage: Storage, directory: Path, name: SegmentName, size: int, *, group: str = "") -> Segment:
    """Return a new segment, smaller where there is no space for `size` bytes; OSError where there is none at all."""
    prepare(directory, group)
    for part in _SHRINK:
        wanted = max(size // part, _SMALLEST)
        try:
            return Segment(storage, name, storage.create(directory / str(name), wanted), wanted)
        except OSError as error:
            if error.errno not in _NO_SPACE or wanted == _SMALLEST or part == _SHRINK[-1]:
                raise
    raise AssertionError(directory)
