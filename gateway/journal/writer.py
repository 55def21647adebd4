"""The journal's interface for the pipeline: it waits until a first record is durable, but not for a second record.

Rule 1: a receipt is given only after the commit that contains the record; every other path gives a `JournalFailure`.
Rule 2: the queue is limited in records and bytes; a record that does not fit is refused at once.
Rule 3: the event loop is woken once per commit.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Final

from gateway.admission.record import (
    Completed,
    Counted,
    Decided,
    JournalFailure,
    Policy,
    Receipt,
    Refused,
)
from gateway.journal.committer import Committer
from gateway.journal.described_records import Descriptions
from gateway.journal.journal_options import JournalOptions, JournalState
from gateway.journal.pending import PendingRecords
from gateway.journal.record_writer import compacted, encoded
from gateway.journal.sequencer import CommitOutcome, PendingEntry, Waiting
from gateway.journal.storage import Disk, Storage


def writer_name(label: str) -> str:
    """Return a writer's id that is unique to this start of this worker; `label` names the worker."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in label).strip("-")
    return f"{plain[:40] or 'gateway'}-{secrets.token_hex(5)}"


class JournalWriter:
    """The journal of one worker: it accepts records on one event loop and makes them durable in one thread."""

    def __init__(
        self,
        directory: Path,
        options: JournalOptions | None = None,
        *,
        writer: str = "",
        storage: Storage | None = None,
    ) -> None:
        """Set the directory and the options; `start` begins to write. A `writer` must never be used twice."""
        self._committer: Final = Committer(
            directory=directory,
            options=(chosen := options or JournalOptions()),
            writer=writer or writer_name("gateway"),
            storage=storage or Disk(chosen.group),
        )
        self._options: Final = self._committer.options
        self._record_bytes: Final = min(self._options.record_bytes, self._options.segment_bytes // 4)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._line: Final = PendingRecords(self._options)
        self._descriptions: Final = Descriptions()
        self._unsent: list[PendingEntry] = []
        self._flushing: asyncio.TimerHandle | None = None
        self._watching: asyncio.TimerHandle | None = None
        self._closing = False
        self._lost = 0
        self.on_failure: Callable[[str], None] = _nobody_minds
        """The callback for a record that could not be written, with the reason."""

    @property
    def writer(self) -> str:
        """Return the id in this writer's records and file names."""
        return self._committer.stamp.writer

    @property
    def directory(self) -> Path:
        """Return the directory of the segments."""
        return self._committer.directory

    @property
    def idle(self) -> bool:
        """Return whether the writer thread has taken all queued entries, written or not."""
        return self._committer.idle

    def start(self) -> None:
        """Begin to write, on the running event loop; a failure is in `state().failed`, and the journal retries."""
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._committer.run, args=(self._settle,), name="journal", daemon=True)
        self._thread.start()

    async def decided(self, record: Decided) -> Receipt | JournalFailure:
        """Write a record and return the receipt when it is durable, or else the failure."""
        return self._noted(await self._first(record, owes=1 if record.outcome == "allow" else 0))

    async def refused(self, record: Refused) -> Receipt | JournalFailure:
        """Write a record and return the receipt when it is durable, or else the failure."""
        return self._noted(await self._first(record, owes=0))

    def completed(self, record: Completed) -> None:
        """Add the second record of a call to the next commit."""
        self._later(record, owes=-1)

    def counted(self, record: Counted) -> None:
        """Add a count to the next commit."""
        self._later(record, owes=0)

    def noted(self, record: Policy) -> None:
        """Add an event of the policy to the next commit."""
        self._later(record, owes=0)

    def state(self) -> JournalState:
        """Return the state for metrics and readiness."""
        committer, lag = self._committer, self._line.oldest_s()
        stuck = (
            f"{self.directory}: no record could be written for {lag:.0f} s" if lag > self._options.deadline_s else ""
        )
        return JournalState(
            space_used=committer.kept.space,
            budget=self._options.keep_bytes,
            lag_s=lag,
            segments=committer.kept.segments,
            failed=committer.failed or stuck or ("" if self._alive else "the journal is not open"),
            lost=committer.lost + self._lost,
        )

    async def close(self) -> None:
        """Write the queued entries, seal the segment and end the thread."""
        self._closing = True
        if self._thread is None:
            return
        self._flush()
        self._committer.stop()
        await asyncio.to_thread(self._thread.join)
        self._thread = None

    @property
    def _alive(self) -> bool:
        return self._thread is not None and not self._closing and self._thread.is_alive()

    async def _first(self, record: Decided | Refused, *, owes: int) -> Receipt | JournalFailure:
        entries = self._encoded(record, second=False)
        if isinstance(entries, JournalFailure) or self._loop is None:
            return self._failed(entries if isinstance(entries, JournalFailure) else None)
        *described, first = entries
        for description in described:  # as a first record, so that a failing journal drops it too
            self._put(description._replace(waiting=self._loop.create_future()))
        waiting: Waiting = self._loop.create_future()
        names = {"call_id": record.call_id, "request_id": record.correlation.request_id}
        self._put(first._replace(owes=owes, waiting=waiting, **names))
        self._flush()
        if self._watching is None:
            self._watching = self._loop.call_later(self._options.deadline_s / 4, self._watch)
        if self._committer.ended:
            return self._failed(None)
        outcome = await waiting
        return self._failed(outcome) if isinstance(outcome, JournalFailure) else outcome

    def _noted(self, answer: Receipt | JournalFailure) -> Receipt | JournalFailure:
        if isinstance(answer, JournalFailure):
            self.on_failure(answer.detail)
        return answer

    def _failed(self, failure: JournalFailure | None) -> JournalFailure:
        """Return the failure of a record, and forget the descriptions: they may be missing in the journal, too."""
        self._descriptions.forget()
        return failure or JournalFailure(detail=self.state().failed)

    def _later(self, record: Completed | Counted | Policy, *, owes: int) -> None:
        entries = self._encoded(record, second=True)
        if isinstance(entries, JournalFailure) or self._loop is None:
            self._lost += 1
            self.on_failure(entries.detail if isinstance(entries, JournalFailure) else self.state().failed)
            return
        self._put(entries[-1]._replace(owes=owes))
        if self._flushing is None:
            self._flushing = self._loop.call_later(self._options.linger_s, self._flush)

    def _encoded(
        self, record: Decided | Completed | Counted | Policy | Refused, *, second: bool
    ) -> list[PendingEntry] | JournalFailure:
        """Return the record as JSON, after its description if it needs one, or the failure if it is not accepted."""
        if not self._alive:
            return JournalFailure(detail=self.state().failed)
        if self._line.full(second=second):
            return JournalFailure(detail="the journal's queue is full")
        try:
            entries = self._entries(record)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            return JournalFailure(detail=f"the record cannot be written as JSON: {error}")
        longest = max(len(entry.body) for entry in entries)
        if longest > self._record_bytes:
            return JournalFailure(detail=f"the record has {longest} bytes; the maximum is {self._record_bytes}")
        return entries

    def _entries(self, record: Decided | Completed | Counted | Policy | Refused) -> list[PendingEntry]:
        if not isinstance(record, Decided):
            return [PendingEntry(encoded(compacted(record)))]
        lines = self._descriptions.lines(record)
        decision = PendingEntry(encoded(lines.decision), needs=lines.needs)
        if lines.description is None:
            return [decision]
        return [PendingEntry(encoded(lines.description), describes=lines.describes), decision]

    def _put(self, entry: PendingEntry) -> None:
        self._line.add(entry)
        self._unsent.append(entry)

    def _flush(self) -> None:
        """Send the queued entries to the writer thread, also second records that wait for a first one."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._unsent:
            self._committer.put(self._unsent)
            self._unsent = []

    def _settle(self, outcome: CommitOutcome) -> None:
        """Notify the event loop from the writer thread, unless the loop is closed."""
        if self._loop is None or self._loop.is_closed():
            return
        try:
            self._loop.call_soon_threadsafe(self._settled, outcome)
        except RuntimeError:  # the loop was closed after the check
            return

    def _settled(self, outcome: CommitOutcome) -> None:
        self._line.settle(len(outcome.entries))
        failure = JournalFailure(detail=outcome.failure) if outcome.failure else None
        for entry, sequence in zip(outcome.entries, outcome.sequences, strict=True):
            if entry.waiting is not None and not entry.waiting.done():
                entry.waiting.set_result(failure or Receipt(writer=self.writer, sequence=sequence))
            elif entry.owes > 0 and not failure:
                self._late(entry)

    def _late(self, entry: PendingEntry) -> None:
        """Record that a message was not forwarded, because its caller did not wait until the allow was durable."""
        record = Completed(
            call_id=entry.call_id,
            request_id=entry.request_id,
            unix_ns=time.time_ns(),
            monotonic_ns=time.monotonic_ns(),
            outcome="not_forwarded",
            detail="the caller disconnected or was refused before the allow was durable",
        )
        self._later(record, owes=-1)

    def _watch(self) -> None:
        """Fail the records that have waited too long: a device that hangs must not block the callers."""
        self._watching = None
        for entry in self._line.overdue():
            if entry.waiting is not None:
                entry.waiting.set_result(JournalFailure(detail=self.state().failed))
        if self._line.oldest_s() and self._loop is not None:
            self._watching = self._loop.call_later(self._options.deadline_s / 4, self._watch)


def _nobody_minds(_detail: str) -> None:
    return
