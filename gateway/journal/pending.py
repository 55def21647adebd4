"""The entries that the event loop sent to the writer thread and that are not settled yet.

Rule 1: first in, first out: a commit settles the oldest entries.
Rule 2: second records have additional room, so that many first records cannot displace them.
"""

import time
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.journal.journal_options import JournalOptions
from gateway.journal.sequencer import PendingEntry


class _Ticket(NamedTuple):
    since: float
    entry: PendingEntry


class PendingRecords:
    """The waiting entries: their number, bytes and age."""

    def __init__(self, options: JournalOptions) -> None:
        """Set the limits."""
        self._options: Final = options
        self._tickets: Final[deque[_Ticket]] = deque()
        self._bytes = 0

    def full(self, *, second: bool) -> bool:
        """Return whether the queue is full; its limits are higher for second records."""
        share = 2 if second else 1
        return len(self._tickets) >= self._options.queue * share or self._bytes >= self._options.queue_bytes * share

    def add(self, entry: PendingEntry) -> None:
        """Add an entry."""
        self._tickets.append(_Ticket(time.monotonic(), entry))
        self._bytes += len(entry.body)

    def settle(self, count: int) -> None:
        """Remove the oldest `count` entries."""
        for _ in range(count):
            self._bytes -= len(self._tickets.popleft().entry.body)

    def oldest_s(self) -> float:
        """Return the age of the oldest entry in seconds."""
        return time.monotonic() - self._tickets[0].since if self._tickets else 0.0

    def overdue(self) -> Iterator[PendingEntry]:
        """Yield the entries whose receipt has been waited for longer than the deadline."""
        before = time.monotonic() - self._options.deadline_s
        for ticket in self._tickets:
            if ticket.since > before:
                return
            if ticket.entry.waiting is not None and not ticket.entry.waiting.done():
                yield ticket.entry
