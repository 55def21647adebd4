"""Entries on their way to disk, and the places that they get in the journal.

Rule 1: `at` never decreases and `sequence` always grows within a writer, so each segment is in order.
Rule 2: a sequence is used once, also where its record could not be written.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.admission.record import JournalFailure, Receipt, place

Waiting = asyncio.Future[Receipt | JournalFailure]
OVERHEAD: Final = 200
"""More bytes than a line has beside its encoded record."""


class PendingEntry(NamedTuple):
    """An encoded record that waits; `owes` is 1 where a second record of the call will follow, -1 for that second."""

    body: bytes
    owes: int = 0
    waiting: Waiting | None = None
    """Who waits for the receipt; null for what need not be durable before something else."""
    call_id: str = ""
    request_id: str = ""
    describes: tuple[int, ...] = ()
    """What a description describes, by the numbers that its writer gave (`descriptions`)."""
    needs: tuple[int, ...] = ()
    """What a decision only names."""


class CommitOutcome(NamedTuple):
    """What became of a commit: the sequence of each entry, or why there is none."""

    entries: Sequence[PendingEntry]
    sequences: Sequence[int]
    failure: str = ""


class Sequencer:
    """Gives out places."""

    def __init__(self, writer: str) -> None:
        """Take a writer's id that was never used before."""
        self.writer: Final = writer
        self.sequence = 0
        self._at = 0

    def now(self) -> int:
        """Return wall time in nanoseconds, never less than what was returned before."""
        self._at = max(self._at, time.time_ns())
        return self._at

    def lines(self, entries: Sequence[PendingEntry]) -> tuple[bytes, range]:
        """Return entries as lines of the journal, with their sequences."""
        at, first = self.now(), self.sequence + 1
        self.sequence += len(entries)
        sequences = range(first, self.sequence + 1)
        lines = [
            place(entry.body, at=at, writer=self.writer, sequence=sequence)
            for entry, sequence in zip(entries, sequences, strict=True)
        ]
        return b"".join(lines), sequences


def size_of(entries: Sequence[PendingEntry]) -> int:
    """Return at most how many bytes the entries are as lines."""
    return sum(len(entry.body) for entry in entries) + OVERHEAD * len(entries)
