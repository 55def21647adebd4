"""Pending entries, and their positions in the journal.

Rule 1: within a writer, `at` never decreases and `sequence` always increases, so each segment is in order.
Rule 2: a sequence is used once, even if its record could not be written.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.admission.record import JournalFailure, Receipt, place

Waiting = asyncio.Future[Receipt | JournalFailure]
OVERHEAD: Final = 200
"""An upper limit of the bytes that a line has in addition to its encoded record."""


class PendingEntry(NamedTuple):
    """An encoded record that waits; `owes` is 1 if a second record of the call will follow, -1 for that second."""

    body: bytes
    owes: int = 0
    waiting: Waiting | None = None
    """The future for the receipt; None for an entry whose commit is not waited for."""
    call_id: str = ""
    request_id: str = ""
    describes: tuple[int, ...] = ()
    """The numbers (see `descriptions`) of the things that a description describes."""
    needs: tuple[int, ...] = ()
    """The numbers of the things that a decision only refers to."""


class CommitOutcome(NamedTuple):
    """The result of a commit: the sequence of each entry, or the failure."""

    entries: Sequence[PendingEntry]
    sequences: Sequence[int]
    failure: str = ""


class Sequencer:
    """The source of times and sequences for the entries of one writer."""

    def __init__(self, writer: str) -> None:
        """Set the writer's id, which must never have been used before."""
        self.writer: Final = writer
        self.sequence = 0
        self._at = 0

    def now(self) -> int:
        """Return the wall time in nanoseconds, never less than the last returned value."""
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
    """Return an upper limit of the bytes of the entries as lines."""
    return sum(len(entry.body) for entry in entries) + OVERHEAD * len(entries)
