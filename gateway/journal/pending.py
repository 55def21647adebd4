"""What was handed to the writer thread and has not come back, as the event loop knows it.

Rule 1: first in, first out: a commit settles from the front.
Rule 2: second records have room of their own, so that a flood of first ones cannot push them out.
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
    """The entries that wait, their number, bytes and age."""

    def __init__(self, options: JournalOptions) -> None:
        """Take the limits."""
        self._options: Final = options
        self._tickets: Final[deque[_Ticket]] = deque()
        self._bytes = 0

    def full(self, *, second: bool) -> bool:
        """Return whether nothing more may wait; second records may when first ones may not."""
        share = 2 if second else 1
        return len(self._tickets) >= self._options.queue * share or self._bytes >= self._options.queue_bytes * share

    def add(self, entry: PendingEntry) -> None:
        """Let an entry wait."""
        self._tickets.append(_Ticket(time.monotonic(), entry))
        self._bytes += len(entry.body)

    def settle(self, count: int) -> None:
        """Take the oldest `count` entries out."""
        for _ in range(count):
            self._bytes -= len(self._tickets.popleft().entry.body)

    def oldest_s(self) -> float:
        """Return how long the oldest has been waiting, in seconds."""
        return time.monotonic() - self._tickets[0].since if self._tickets else 0.0

    def overdue(self) -> Iterator[PendingEntry]:
        """Return what somebody has been waiting for longer than the deadline."""
        before = time.monotonic() - self._options.deadline_s
        for ticket in self._tickets:
            if ticket.since > before:
                return
            if ticket.entry.waiting is not None and not ticket.entry.waiting.done():
                yield ticket.entry
