"""What the journal costs: records a second and latency, at both durabilities, for few and many at once.

It also compares segments as they are, which grow as they are written, with those of earlier builds, which had their
whole length from the start, filled with NUL bytes. Both are measured in turns.

Run it with `python -m tests.bench.journal`; `measure` is for others to call.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import uvloop
from msgspec import Struct

from gateway.admission.policy_input import PolicyInput
from gateway.admission.record import Completed, Enforced, JournalFailure, Occasion
from gateway.admission.record_masking import Masking
from gateway.admission.recording import decided
from gateway.journal.journal_options import JournalOptions
from gateway.journal.storage import Disk, Storage
from gateway.journal.writer import JournalWriter
from tests.bench.journal_sample import QUESTION, VERDICT

Durability = Literal["disk", "process"]


class Figures(Struct, frozen=True, kw_only=True):
    """One row: calls a second, latency of the first record in microseconds, and CPU of the process a call."""

    durability: Durability
    concurrency: int
    calls_per_s: float
    p50_us: float
    p99_us: float
    cpu_us: float


class Padded(Disk):
    """Segments as earlier builds wrote them."""

    def create(self, path: Path, size: int) -> int:
        """Return the descriptor of a new segment that has its whole length."""
        descriptor = super().create(path, size)
        os.posix_fallocate(descriptor, 0, size)
        os.fsync(descriptor)
        return descriptor


async def measure(
    directory: Path, durability: Durability, concurrency: int, calls: int = 8_000, *, storage: Storage | None = None
) -> Figures:
    """Write `calls` pairs of records from `concurrency` tasks and return what it took."""
    journal = JournalWriter(directory, JournalOptions(durability=durability), storage=storage)
    journal.start()
    latencies: list[float] = []
    await asyncio.gather(*(_calls(journal, 200, []) for _ in range(concurrency)))
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(_calls(journal, calls // concurrency, latencies) for _ in range(concurrency)))
    took, used = time.perf_counter() - began, time.process_time() - cpu
    await journal.close()
    latencies.sort()
    done = len(latencies)
    return Figures(
        durability=durability,
        concurrency=concurrency,
        calls_per_s=done / took,
        p50_us=latencies[done // 2] * 1e6,
        p99_us=latencies[done * 99 // 100] * 1e6,
        cpu_us=used / done * 1e6,
    )


async def _calls(journal: JournalWriter, number: int, latencies: list[float]) -> None:
    masking = Masking(level="masked", key=b"k" * 32)
    question: PolicyInput = QUESTION
    for turn in range(number):
        began = time.perf_counter()
        occasion = Occasion(call_id=f"{id(latencies)}-{turn}", unix_ns=time.time_ns(), monotonic_ns=turn)
        made = decided(question, VERDICT, enforced=Enforced(outcome="allow"), occasion=occasion, masking=masking)
        receipt = await journal.decided(made)
        if isinstance(receipt, JournalFailure):
            raise OSError(receipt.detail)
        latencies.append(time.perf_counter() - began)
        journal.completed(Completed(call_id=made.call_id, unix_ns=1, monotonic_ns=2, outcome="answered", status=200))


def rows(concurrencies: Sequence[int] = (1, 16)) -> list[Figures]:
    """Return the figures of both durabilities, on the file system of the current directory."""
    found: list[Figures] = []
    for durability in ("disk", "process"):
        for concurrency in concurrencies:
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
                found.append(uvloop.run(measure(Path(directory), durability, concurrency)))
    return found


def ratio(concurrency: int, rounds: int = 7) -> float:
    """Return the cost of a first record in a segment that grows, as a multiple of that in a padded one (medians)."""
    took: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(rounds):
        for padded in (True, False) if turn % 2 else (False, True):
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
                storage = Padded() if padded else Disk()
                found = uvloop.run(measure(Path(directory), "disk", concurrency, 2_000, storage=storage))
            took[padded].append(found.p50_us)
    return statistics.median(took[False]) / statistics.median(took[True])


def main() -> None:
    """Print the table."""
    for row in rows():
        sys.stdout.write(
            f"{row.durability:8} {row.concurrency:3} at once: {row.calls_per_s:7.0f} calls/s,"
            f" first record p50 {row.p50_us:5.0f} us, p99 {row.p99_us:6.0f} us, CPU {row.cpu_us:4.0f} us a call\n"
        )
    for concurrency in (1, 16):
        sys.stdout.write(
            f"a segment that grows costs {ratio(concurrency):.2f} times what a padded one does, {concurrency} at once\n"
        )


if __name__ == "__main__":
    main()
