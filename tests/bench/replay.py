"""What replay costs: recorded decisions a second on the demo's policy, and CPU of this process and of OPA each.

Run it with `python -m tests.bench.replay`; `measure` is for others to call.
"""

import asyncio
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway.library import library
from gateway.opa.binary import obtain
from gateway.policy.build import Builder, PolicySource
from gateway.policy.sources.problem import Problems
from gateway.review.candidate import from_policy
from gateway.review.decision_sources import rows
from gateway.review.masked_fields import Readings
from gateway.review.outcome_flips import Matrix
from gateway.review.recorded_decision import RecordedDecision
from gateway.review.replaying import Replay
from gateway.review.sidecar import Binary, asked
from tests.environment import ROOT
from tests.recorded import records, write

CALLS: tuple[dict[str, Any], ...] = (
    {"tool": "read_file", "arguments": {"path": "welcome.md"}},
    {"tool": "write_file", "arguments": {"path": "notes/a.md", "content": "x"}},
    {"tool": "write_file", "arguments": {"path": "src/a.py", "content": "x"}},
    {"tool": "delete_file", "arguments": {"path": "x"}},
)
"""Half of them allowed."""


class Figures(Struct, frozen=True, kw_only=True):
    """Decisions a second, and milliseconds of CPU a decision."""

    per_s: float
    own_cpu_ms: float
    opa_cpu_ms: float


def measure(decisions: int = 20_000) -> Figures:
    """Replay so many recorded decisions on the policy that made them."""
    opa = obtain(print)
    with tempfile.TemporaryDirectory() as scratch:
        builder, source = Builder(Path(scratch), opa), PolicySource(ROOT, "dev")
        content, candidate = builder.content(source, time.time()), from_policy(source, builder, time.time())
        if isinstance(content, Problems) or isinstance(candidate, Problems):
            raise SystemExit("the demo's policy does not build")
        journal = write(Path(scratch) / "journal", records(content, opa, CALLS))
        recorded = [row for row in rows([journal]) if isinstance(row, RecordedDecision)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

        async def run() -> tuple[float, float]:
            async with asked(candidate, Binary(opa, library())) as exchange:
                replay = Replay(exchange=exchange, readings=Readings(candidate.data), matrix=Matrix())
                began, cpu = time.perf_counter(), time.process_time()
                await replay.run(_repeated(recorded, decisions))
                return time.perf_counter() - began, time.process_time() - cpu

        took, own = asyncio.run(run())
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return Figures(per_s=decisions / took, own_cpu_ms=own / decisions * 1e3, opa_cpu_ms=spent / decisions * 1e3)


def _repeated(recorded: list[RecordedDecision], count: int) -> Iterator[RecordedDecision]:
    for number in range(count):
        yield recorded[number % len(recorded)]


def said(found: Figures) -> str:
    """Return the figures as a text."""
    cpu = f"CPU each: {found.own_cpu_ms:.3f} ms own, {found.opa_cpu_ms:.3f} ms OPA"
    return f"{found.per_s:,.0f} decisions/s, {cpu}"


if __name__ == "__main__":
    print(said(measure()))  # noqa: T201 - the figure is this program's output
