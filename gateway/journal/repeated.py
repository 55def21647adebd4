"""Descriptions again, at the beginning of each segment: retention may have removed the segment that had them.

Rule 1: a segment has the descriptions that its decisions need, before the first decision that needs them.
Rule 2: memory is bounded in bytes: what was described longest ago is forgotten. Then it is described again only when
its time comes (`descriptions`).
Rule 3: a record is never refused for a repeated description: without room for it, the record is written alone.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from gateway.journal.sequencer import PendingEntry, size_of

MOST_BYTES: Final = 8 * 1024 * 1024


class RepeatedDescriptions:
    """What one writer has described of late, and what of it is in the open segment."""

    def __init__(self) -> None:
        """Begin without any, before the first segment."""
        self._held: Final[OrderedDict[int, PendingEntry]] = OrderedDict()
        self._bytes = 0
        self._written: Final[set[int]] = set()

    def begin(self) -> None:
        """Begin a segment, in which nothing is described yet."""
        self._written.clear()

    def learn(self, entries: Sequence[PendingEntry]) -> None:
        """Keep the descriptions among the entries, written or not."""
        for entry in entries:
            if entry.describes:
                self._hold(entry)

    def before(self, entries: Sequence[PendingEntry], room: int) -> list[PendingEntry]:
        """Return the descriptions that these entries need and the segment lacks, as far as they fit in `room` bytes.

        The entries and what is returned count as written.
        """
        found: list[PendingEntry] = []
        for entry in entries:
            self._written.update(entry.describes)
            for number in entry.needs:
                held = None if number in self._written else self._held.get(number)
                if held is not None and size_of((held,)) <= room:
                    room -= size_of((held,))
                    self._written.update(held.describes)
                    found.append(PendingEntry(held.body))
        return found

    def _hold(self, entry: PendingEntry) -> None:
        kept = PendingEntry(entry.body, describes=entry.describes)
        for number in entry.describes:
            self._held[number] = kept
            self._bytes += len(entry.body)
        while self._bytes > MOST_BYTES:
            _, dropped = self._held.popitem(last=False)
            self._bytes -= len(dropped.body)
