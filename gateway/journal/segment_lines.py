"""Read the lines of one segment, which may be open or abandoned by a killed writer.

Rule 1: content ends at the first NUL (unused space of earlier builds) or at the last newline (an incomplete line). No
receipt was given for any bytes after that.
Rule 2: a line that is not a valid record is shown as `unreadable` with its position, never skipped silently.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

CHUNK: Final = 1 << 20
Read = dict[str, Any]
"""One record as read; `gateway.admission.record` documents its fields."""


def raw_lines(path: Path, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield the complete lines from `offset` on, each with the offset of its end."""
    rest = b""
    with path.open("rb") as file:
        file.seek(offset)
        while chunk := file.read(CHUNK):
            content, padding, _ = chunk.partition(b"\0")
            *whole, rest = (rest + content).split(b"\n")
            for line in whole:
                offset += len(line) + 1
                yield offset, line
            if padding:
                return


def record_of(line: bytes, path: Path, offset: int) -> Read:
    """Return the record in a line; if it is not valid, one of kind `unreadable` with its position."""
    try:
        value: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = None
    return (
        value
        if _is_record(value)
        else {"kind": "unreadable", "file": path.name, "offset": offset - len(line) - 1, "bytes": len(line)}
    )


def _is_record(value: Any) -> bool:
    kinds = {"at": int, "writer": str, "sequence": int, "kind": str}
    return isinstance(value, dict) and all(type(value.get(name)) is kind for name, kind in kinds.items())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def first_record(path: Path) -> Read | None:
    """Return the first record of a segment, or None if it is still empty."""
    try:
        for offset, line in raw_lines(path):
            return record_of(line, path, offset)
    except FileNotFoundError:
        return None
    return None


def content_end(path: Path) -> int:
    """Return the offset of the end of the last complete line: no line contains a NUL, and all NULs are at the end."""
    with path.open("rb") as file:
        low, high = 0, os.fstat(file.fileno()).st_size
        while low < high:
            middle = (low + high) // 2
            file.seek(middle)
            if file.read(1) == b"\0":
                high = middle
            else:
                low = middle + 1
        return _line_end(file, low)


def _line_end(file: BinaryIO, end: int) -> int:
    """Return the offset after the last newline before `end`: a line may be incomplete while it is written."""
    while end:
        start = max(0, end - CHUNK)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
