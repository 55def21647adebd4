"""Names of segment files: the time at which a segment begins, its writer, and its number in this writer.

Rule 1: a segment does not contain records from before the time in its name, so a reader opens it only at that time.
Rule 2: a file with any other name is not a segment and is never read, sealed or removed.
"""

import re
from pathlib import Path
from typing import Final

from msgspec import Struct

_NAME: Final = re.compile(r"(\d{19})\.([A-Za-z0-9][A-Za-z0-9_-]{0,79})\.(\d{6,})\.jsonl")


class SegmentName(Struct, frozen=True, order=True):
    """The position of a segment in the order of all segments; `begins` is wall time in nanoseconds."""

    begins: int
    writer: str
    number: int

    def __str__(self) -> str:
        return f"{self.begins:019}.{self.writer}.{self.number:06}.jsonl"


def named(path: Path) -> SegmentName | None:
    """Return the segment name of a file, or None if the file is not a segment."""
    match = _NAME.fullmatch(path.name)
    return SegmentName(int(match[1]), match[2], int(match[3])) if match else None


def segments(directory: Path) -> list[tuple[SegmentName, Path]]:
    """Return the segments of a directory, oldest first; none if the directory does not exist."""
    if not directory.is_dir():
        return []
    found = ((named(path), path) for path in directory.iterdir())
    return sorted(((name, path) for name, path in found if name), key=lambda pair: pair[0])
