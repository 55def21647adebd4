"""Repeat descriptions in each segment, because retention may have removed the segment that contains them.

Rule 1: a segment contains the descriptions that its decisions need, before the first decision that needs them.
Rule 2: memory is limited in bytes: the oldest descriptions are dropped. A dropped description is written again only
when it is due (see `descriptions`).
Rule 3: a record never fails because of a repeated description: if it does not fit, the record is written alone.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from gateway.journal.sequencer import PendingEntry, size_of

MOST_BYTES: Final = 8 * 1024 * 1024


class RepeatedDescriptions:
    """The recent descriptions of one writer, and those that are in the open segment."""

    def __init__(self) -> None:
        """Begin without descriptions, before the first segment."""
        self._held: Final[OrderedDict[int, PendingEntry]] = OrderedDict()
        self._bytes = 0
        self._written: Final[set[int]] = set()

    def begin(self) -> None:
        """Begin a segment, which does not contain descriptions yet."""
        self._written.clear()

    def learn(self, entries: Sequence[PendingEntry]) -> None:
        """Keep the descriptions among the entries, written or not."""
        for entry in entries:
            if entry.describes:
                self._hold(entry)

    def before(self, entries: Sequence[PendingEntry], room: int) -> list[PendingEntry]:
        """Return the descriptions that these entries need and the segment lacks, as far as they fit in `room` bytes.

        The entries and the returned descriptions count as written.
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
