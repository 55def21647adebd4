"""Read all segments of the journal in one order: by wall time, writer and sequence.

Rule 1: a segment is opened only when the order reaches it; memory does not grow with the journal.
Rule 2: records that a writer declared void are not shown: they were never durable and had no effect.
Rule 3: if a segment is removed while it is read, reading continues with the next one.
"""

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.journal.segment_lines import Read, first_record, raw_lines, record_of
from gateway.journal.segment_names import SegmentName, segments


class _Head(NamedTuple):
    """The next record of one segment; compared by the journal's order, and by name if damage made two equal."""

    at: int
    writer: str
    sequence: int
    name: SegmentName
    record: Read
    rest: Iterator[Read]


def everything(_: bytes) -> bool:
    """Accept every line."""
    return True


def read(directory: Path, *, since_ns: int = 0, wanted: Callable[[bytes], bool] = everything) -> Iterator[Read]:
    """Yield the records from `since_ns` on, in order, for which `wanted` accepts the raw line."""
    waiting = _relevant(directory, since_ns)
    heads: list[_Head] = []
    while waiting or heads:
        while waiting and (not heads or waiting[0][0].begins <= heads[0].at):
            name, path, following = waiting.pop(0)
            _push(heads, name, _records(name, path, following, wanted))
        if heads:
            head = heapq.heappop(heads)
            if head.at >= since_ns:
                yield head.record
            _push(heads, head.name, head.rest)


def _push(heads: list[_Head], name: SegmentName, rest: Iterator[Read]) -> None:
    record = next(rest, None)
    if record is not None:
        heapq.heappush(heads, _Head(record["at"], record["writer"], record["sequence"], name, record, rest))


def _relevant(directory: Path, since_ns: int) -> list[tuple[SegmentName, Path, Path | None]]:
    """Return the segments that may contain records from `since_ns` on, each with its writer's next segment."""
    following: dict[str, tuple[SegmentName, Path]] = {}
    found: list[tuple[SegmentName, Path, Path | None]] = []
    for name, path in reversed(segments(directory)):
        after = following.get(name.writer)
        if after is None or after[0].begins >= since_ns:
            found.append((name, path, after[1] if after else None))
        following[name.writer] = (name, path)
    return found[::-1]


def _records(name: SegmentName, path: Path, following: Path | None, wanted: Callable[[bytes], bool]) -> Iterator[Read]:
    void = _void_after(following)
    last = name.begins, 0
    try:
        for offset, line in raw_lines(path):
            if not wanted(line):
                continue
            record = record_of(line, path, offset)
            if record["kind"] == "unreadable":
                record.update(at=last[0], sequence=last[1], writer=name.writer)
            last = record["at"], record["sequence"]
            if record["sequence"] not in void:
                yield record
    except FileNotFoundError:
        return


def _void_after(following: Path | None) -> range:
    """Return the sequences that the first record of a writer's next segment declares void."""
    declared = first_record(following) if following else None
    if declared is None or declared["kind"] != "voided":
        return range(0)
    first, last = declared.get("first"), declared.get("last")
    return range(first, last + 1) if isinstance(first, int) and isinstance(last, int) else range(0)
