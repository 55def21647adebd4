"""What the journal costs: records a second and latency, at both durabilities, for few and many at once.

Run it with `python -m tests.bench.journal`; `measure` is for others to call.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import uvloop
from msgspec import Struct

from gateway.admission.masking import Masking
from gateway.admission.policy_input import PolicyInput
from gateway.admission.record import Completed, Enforced, JournalFailure, Occasion
from gateway.admission.recording import decided
from gateway.journal.options import Options
from gateway.journal.writer import Journal
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


async def measure(directory: Path, durability: Durability, concurrency: int, calls: int = 8_000) -> Figures:
    """Write `calls` pairs of records from `concurrency` tasks and return what it took."""
    journal = Journal(directory, Options(durability=durability))
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


async def _calls(journal: Journal, number: int, latencies: list[float]) -> None:
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


def main() -> None:
    """Print the table."""
    for row in rows():
        sys.stdout.write(
            f"{row.durability:8} {row.concurrency:3} at once: {row.calls_per_s:7.0f} calls/s,"
            f" first record p50 {row.p50_us:5.0f} us, p99 {row.p99_us:6.0f} us, CPU {row.cpu_us:4.0f} us a call\n"
        )


if __name__ == "__main__":
    main()
