"""The writer thread: it writes all waiting entries as one commit and notifies the event loop once.

Rule 1: a commit starts at once if none is running; entries that arrive during a commit join the next one. No timer is
used.
Rule 2: after any error the segment is sealed. Until a new segment begins, first records fail and second ones wait.
Rule 3: if a new segment cannot be created, the old one still accepts the second records of calls in progress.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from gateway.admission.record import Voided
from gateway.journal.descriptions_per_segment import RepeatedDescriptions
from gateway.journal.journal_options import JournalOptions
from gateway.journal.record_writer import compacted, encoded
from gateway.journal.retention import RetainedSegments, retain, seal_abandoned
from gateway.journal.segment import Segment, begin
from gateway.journal.segment_names import SegmentName
from gateway.journal.sequencer import CommitOutcome, PendingEntry, Sequencer, size_of
from gateway.journal.storage import Storage

_NS: Final = 1_000_000_000
_BATCH: Final = 4 * 1024 * 1024
_BACKLOG: Final = 20_000
_UPKEEP_S: Final = 600.0


class Committer:
    """The owner of the open segment; all methods except `put` and `stop` run in the writer thread."""

    def __init__(self, *, directory: Path, options: JournalOptions, writer: str, storage: Storage) -> None:
        """Set the directory and the options; no file is touched before `run`."""
        self.directory: Final = directory
        self.options: Final = options
        self.stamp: Final = Sequencer(writer)
        self.kept = RetainedSegments(space=0, segments=0)
        self.failed = ""
        self.lost = 0
        self.ended = False
        self._storage: Final = storage
        self._queue: Final[SimpleQueue[Sequence[PendingEntry] | None]] = SimpleQueue()
        self._backlog: Final[deque[PendingEntry]] = deque()
        self._batch: list[PendingEntry] = []
        self._batch_bytes: Final = min(_BATCH, options.segment_bytes // 4)
        self._segment: Segment | None = None
        self._number = 0
        self._owed = 0
        self._tried = self._upkept = float("-inf")
        self._void: Voided | None = None
        self._descriptions: Final = RepeatedDescriptions()

    def put(self, entries: Sequence[PendingEntry]) -> None:
        """Queue entries, from the event loop."""
        self._queue.put(entries)

    @property
    def idle(self) -> bool:
        """Return whether the queue is empty."""
        return self._queue.empty()

    def stop(self) -> None:
        """End `run` after all queued entries, from the event loop."""
        self._queue.put(None)

    def run(self, settle: Callable[[CommitOutcome], None]) -> None:
        """Write until stopped; call `settle` once per commit, in this thread."""
        try:
            self._upkeep()
            self._renew()
            while self._turn(settle):
                pass
        finally:
            self._end(settle)

    def _turn(self, settle: Callable[[CommitOutcome], None]) -> bool:
        """Wait for one batch and commit it; return false after a stop."""
        try:
            entries = self._queue.get(timeout=self._patience())
        except Empty:
            self._idle()
            return True
        if entries is None:
            return False
        self._batch = [*entries]
        more = self._gather(self._batch)
        settle(self._commit(self._batch))
        self._batch = []
        return more

    def _gather(self, batch: list[PendingEntry]) -> bool:
        """Add the waiting entries to the batch, up to a size; return false after a stop."""
        size = size_of(batch)
        while size < self._batch_bytes and not self._queue.empty():  # this thread is the only consumer
            entries = self._queue.get_nowait()
            if entries is None:
                return False
            batch.extend(entries)
            size += size_of(entries)
        return True

    def _commit(self, batch: list[PendingEntry]) -> CommitOutcome:
        need = size_of(batch)
        self._descriptions.learn(batch)
        if self.failed or self._aged() or self._room() < need:
            self._renew()
        self._rescue()
        room = self._room()
        if room < need:
            return self._withhold(batch)
        repeated = self._descriptions.before(batch, room - need)
        lines, sequences = self.stamp.lines([*repeated, *batch])
        if not self._append(lines, sequences):
            return self._withhold(batch)
        self._owe(batch)
        return CommitOutcome(batch, sequences[len(repeated) :])

    def _room(self) -> int:
        """Return the free bytes without those reserved for second records; negative if none is open."""
        if self._segment is None:
            return -1
        kept_back = min(self._owed * self.options.completion_bytes, self._segment.size // 4)
        return self._segment.room() - kept_back

    def _aged(self) -> bool:
        segment = self._segment
        return segment is not None and segment.length > 0 and segment.age_s() >= self.options.segment_age_s

    def _owe(self, entries: Sequence[PendingEntry]) -> None:
        self._owed = max(0, self._owed + sum(entry.owes for entry in entries))

    def _append(self, lines: bytes, sequences: range) -> bool:
        """Write to the open segment; on an error, seal it for good and store the void sequences."""
        if self._segment is None:
            return False
        try:
            self._segment.append(lines, durable=self.options.durability == "disk")
        except OSError as error:
            self.failed = f"{self.directory}: {error.strerror or error}"
            first = self._void.first if self._void else sequences.start
            self._void = Voided(unix_ns=time.time_ns(), first=first, last=sequences.stop - 1, detail=self.failed)
            self._segment.seal()
            self._segment = None
            return False
        return True

    def _withhold(self, batch: list[PendingEntry]) -> CommitOutcome:
        """Fail the first records; keep the second ones, and write them to their reserved space if a segment is open."""
        self._backlog.extend(entry for entry in batch if entry.waiting is None)
        self._rescue()
        while len(self._backlog) > _BACKLOG:
            self._backlog.popleft()
            self.lost += 1
        return CommitOutcome(
            batch, range(len(batch)), self.failed or f"{self.directory}: a segment is too small for these records"
        )

    def _rescue(self) -> None:
        """Write as much of the backlog as fits in the open segment."""
        while self._backlog and self._segment is not None:
            entries: list[PendingEntry] = []
            room = min(self._segment.room(), _BATCH)
            for entry in self._backlog:
                room -= size_of((entry,))
                if room < 0:
                    break
                entries.append(entry)
            if not entries or not self._append(*self.stamp.lines(entries)):
                return
            self._owe(entries)
            for _ in entries:
                self._backlog.popleft()

    def _renew(self) -> None:
        """Begin a new segment, then seal the old one; on a failure, keep the old one for second records."""
        if self.failed:
            if time.monotonic() - self._tried < self.options.retry_s:
                return
            self._tried = time.monotonic()
        name = SegmentName(self.stamp.now(), self.stamp.writer, self._number + 1)
        try:
            fresh = begin(self._storage, self.directory, name, self.options.segment_bytes, group=self.options.group)
        except OSError as error:
            self.failed = f"{error.filename or self.directory}: {error.strerror or error}"
            return
        if self._segment is not None:
            self._segment.seal()
        self._segment, self._number, self.failed = fresh, name.number, ""
        self._descriptions.begin()
        self._declare()
        self._upkeep()

    def _declare(self) -> None:
        """Declare, at the beginning of a new segment, the void sequences of the last one."""
        if self._void is None:
            return
        void, self._void = self._void, None
        if not self._append(*self.stamp.lines([PendingEntry(encoded(compacted(void)))])):
            self._void = void

    def _patience(self) -> float:
        """Return the seconds to wait for entries before other work is due."""
        if self.failed or self._backlog:
            return self.options.retry_s
        if self._segment is not None and self._segment.length:
            return max(0.0, min(self.options.segment_age_s - self._segment.age_s(), _UPKEEP_S))
        return _UPKEEP_S

    def _idle(self) -> None:
        if self.failed or self._aged():
            self._renew()
        self._rescue()
        if time.monotonic() - self._upkept >= _UPKEEP_S:
            self._upkeep()

    def _upkeep(self) -> None:
        """Seal abandoned segments and remove expired ones; an error here does not stop the writing."""
        self._upkept = time.monotonic()
        with contextlib.suppress(OSError):
            seal_abandoned(self.directory)
            before = time.time_ns() - int(self.options.keep_s * _NS)
            self.kept = retain(self.directory, before_ns=before, budget=self.options.keep_bytes)

    def _end(self, settle: Callable[[CommitOutcome], None]) -> None:
        """Seal the segment, and fail all waiting entries: without this thread nothing becomes durable."""
        self.failed = self.failed or "the journal is closed"
        self.ended = True
        if self._segment is not None:
            self._segment.seal()
            self._segment = None
        left = self._batch
        while not self._queue.empty():
            left.extend(self._queue.get_nowait() or ())
        if left:
            settle(CommitOutcome(left, range(len(left)), self.failed))
