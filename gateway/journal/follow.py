"""What is added to a journal while one looks.

Rule 1: the file system says when there is something; nothing polls in a loop of its own.
Rule 2: within what is seen at once the journal's order holds; a worker that is late is shown late.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType] - its stop event may be of trio

from gateway.journal.segment_lines import Read, content_end, raw_lines, record_of
from gateway.journal.segment_names import segments

_LOOK_ANYWAY_MS: Final = 2_000
"""Some file systems do not say when a file changes."""


class Tail:
    """Remembers how far each segment was read."""

    def __init__(self, directory: Path, *, from_start: bool = False) -> None:
        """Begin behind what is there now, or before it."""
        self.directory: Final = directory
        self._read: Final[dict[Path, int]] = {}
        if not from_start:
            self._read.update((path, content_end(path)) for _, path in segments(directory))

    def more(self) -> list[Read]:
        """Return what was added since, in the journal's order."""
        added = [record for _, path in segments(self.directory) for record in self._added(path)]
        return sorted(
            added, key=lambda record: (record.get("at", 0), record.get("writer", ""), record.get("sequence", 0))
        )

    def _added(self, path: Path) -> list[Read]:
        offset = self._read.get(path, 0)
        added: list[Read] = []
        try:
            if path.stat().st_size > offset:
                for offset, line in raw_lines(path, offset):  # noqa: B020 - the offset behind the last line is kept
                    added.append(record_of(line, path, offset))
        except FileNotFoundError:
            self._read.pop(path, None)
            return added
        self._read[path] = offset
        return added


async def follow(
    directory: Path, *, tail: Tail | None = None, ended: asyncio.Event | None = None
) -> AsyncIterator[list[Read]]:
    """Return what is added to a journal, as it is added, until the caller stops or the event is set.

    A `tail` that was made earlier also gives what was added since.
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
