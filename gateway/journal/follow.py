"""Follow a journal: yield its new records while they are written.

Rule 1: the file system reports changes; this module has no polling loop.
Rule 2: the records of one batch are in the journal's order; the records of a late worker are shown late.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType] - its stop event may be trio's

from gateway.journal.segment_lines import Read, content_end, raw_lines, record_of
from gateway.journal.segment_names import segments

_LOOK_ANYWAY_MS: Final = 2_000
"""The interval at which files are checked anyway, because some file systems do not report changes."""


class Tail:
    """The position in each segment up to which it was read."""

    def __init__(self, directory: Path, *, from_start: bool = False) -> None:
        """Begin after the current content, or at the start."""
        self.directory: Final = directory
        self._read: Final[dict[Path, int]] = {}
        if not from_start:
            self._read.update((path, content_end(path)) for _, path in segments(directory))

    def more(self) -> list[Read]:
        """Return the records that were added since the last call, in the journal's order."""
        added = [record for _, path in segments(self.directory) for record in self._added(path)]
        return sorted(
            added, key=lambda record: (record.get("at", 0), record.get("writer", ""), record.get("sequence", 0))
        )

    def _added(self, path: Path) -> list[Read]:
        offset = self._read.get(path, 0)
        added: list[Read] = []
        try:
            if path.stat().st_size > offset:
                for offset, line in raw_lines(path, offset):  # noqa: B020 - the offset after the last line is kept
                    added.append(record_of(line, path, offset))
        except FileNotFoundError:
            self._read.pop(path, None)
            return added
        self._read[path] = offset
        return added


async def follow(
    directory: Path, *, tail: Tail | None = None, ended: asyncio.Event | None = None
) -> AsyncIterator[list[Read]]:
    """Yield the records that are added to a journal until the caller stops or the event is set.

    A `tail` that was made earlier also yields the records added since then.
    """
    tail = tail or Tail(directory)
    if first := tail.more():
        yield first
    changes = awatch(
        directory,
        watch_filter=None,
        debounce=200,
        step=20,
        rust_timeout=_LOOK_ANYWAY_MS,
        yield_on_timeout=True,
        recursive=False,
        stop_event=ended,
    )
    async for _ in changes:
        if added := tail.more():
            yield added
