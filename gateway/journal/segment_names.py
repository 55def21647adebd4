"""Names of segment files: when a segment begins, who writes it, and which of its writer's it is.

Rule 1: a segment holds no record from before the time in its name, so a reader need not open it before that.
Rule 2: what is not named like this is not a segment and is never read, sealed or removed.
"""

import re
from pathlib import Path
from typing import Final

from msgspec import Struct

_NAME: Final = re.compile(r"(\d{19})\.([A-Za-z0-9][A-Za-z0-9_-]{0,79})\.(\d{6,})\.jsonl")


class SegmentName(Struct, frozen=True, order=True):
    """A segment's place in the order of all segments; `begins` is wall time in nanoseconds."""

    begins: int
    writer: str
    number: int

    def __str__(self) -> str:
        return f"{self.begins:019}.{self.writer}.{self.number:06}.jsonl"


def named(path: Path) -> SegmentName | None:
    """Return what the name of a file says, or null where it is no segment."""
    match = _NAME.fullmatch(path.name)
    return SegmentName(int(match[1]), match[2], int(match[3])) if match else None


def segments(directory: Path) -> list[tuple[SegmentName, Path]]:
    """Return the segments of a directory, oldest first; none where there is no such directory."""
    if not directory.is_dir():
        return []
    found = ((named(path), path) for path in directory.iterdir())
    return sorted(((name, path) for name, path in found if name), key=lambda pair: pair[0])
