"""`make bench`: direct, bare relay and gateway in one run, interleaved; prints the table and writes `.state/bench.md`.

Rule 1: figures of one table come from one run; what is compared is measured in turns, round by round.
Rule 2: nothing is asserted: these are figures, and the machine is named beside them.
"""

import asyncio
import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.bench import decisions, fleet, publishing, replay
from tests.bench.load import Figures, Load
from tests.bench.stage import LISTING, Stage, call, listing, question_of, sessions, staged, worker_pids
from tests.running import OPEN

KINDS: Final = ("direct", "floor", "gateway")
ROUNDS: Final = 3
CALLS: Final = {1: 400, 16: 2_000, 64: 2_000}
SIZES: Final = {"1 KB": 1_000, "100 KB": 100_000, "1 MB": 1_000_000, "100 MB": 100_000_000}
_OUTPUT: Final = Path(".state") / "bench.md"


async def main() -> None:
    """Measure everything, print it, and write it."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine}.", ""]
    lines += ["| what | direct | floor | gateway |", "|---|---|---|---|"]
    for workers, durability in ((1, "disk"), (1, "process"), (2, "disk")):
        lines += await _throughput(workers, durability)
        print("\n".join(lines), flush=True)  # noqa: T201 - so that an interrupted run shows something
    lines += ["", "| what | figure |", "|---|---|"]
    lines += await _sizes_and_memory()
    lines += await _lists()
    lines += await _decisions()
    for measured in (publishing.rows(), _replayed()):
        found = await measured
        print("\n".join(found), flush=True)  # noqa: T201 - as above
        lines += found
    for count in fleet.GATEWAYS:  # these say themselves how far they are
        lines += await fleet.rows(count)
    text = "\n".join(lines)
    print(text)  # noqa: T201 - the table is this program's output
    _OUTPUT.parent.mkdir(exist_ok=True)
    _OUTPUT.write_text(text + "\n", encoding="utf-8")


async def _throughput(workers: int, durability: str) -> list[str]:
    """Return the rows of one configuration."""
    with tempfile.TemporaryDirectory(prefix="mcp-admission-bench-") as root:
        async with staged(Path(root), workers=workers, durability=durability) as stage:
            loads = {kind: stage.load(kind) for kind in KINDS}
            rows: list[str] = []
            for connections, calls in CALLS.items():
                figures = await _interleaved(loads, connections, calls)
                label = f"{workers} worker{'s' if workers > 1 else ''}, journal to {durability}, {connections} at once"
                rows.append(f"| {label} | " + " | ".join(_shown(figures[kind]) for kind in KINDS) + " |")
            return rows


async def _interleaved(loads: dict[str, Load], connections: int, calls: int) -> dict[str, list[Figures]]:
    figures: dict[str, list[Figures]] = {kind: [] for kind in loads}
    for _ in range(ROUNDS):
        for kind, load in loads.items():
            figures[kind].append(await load.run(call, connections=connections, calls=calls))
    return figures


def _shown(rounds: list[Figures]) -> str:
    p50 = statistics.median(each.p50_ms for each in rounds)
    p99 = statistics.median(each.p99_ms for each in rounds)
    rate = statistics.median(each.calls_per_s for each in rounds)
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {rate:,.0f}/s"


async def _sizes_and_memory() -> list[str]:
    with tempfile.TemporaryDirectory(prefix="mcp-admission-bench-") as root:
        async with staged(Path(root)) as stage:
            load = stage.load("gateway")
            rows = [_memory("worker RSS at the start", stage)]
            await load.run(call, connections=16, calls=10_000)
            rows.append(_memory("worker RSS after 10,000 calls", stage))
            await sessions(stage, 10_000)
            rows.append(_memory("worker RSS after 10,000 sessions", stage))
            for name, size in SIZES.items():
                rows.append(await _sized(stage, name, size))
            rows.append(_memory("worker RSS after the 100 MB result", stage))
            rows.append(await _saved(stage))
            return rows


async def _sized(stage: Stage, name: str, size: int) -> str:
    """Return the row of one size of result: median of a few calls, directly and through the gateway."""
    count = 3 if size > 10_000_000 else 20
    times: dict[str, float] = {}
    for kind in ("direct", "gateway"):
        figures = await stage.load(kind).run(lambda n: call(n, size), connections=1, calls=count)
        times[kind] = figures.p50_ms
    return f"| result of {name} | {times['gateway']:,.1f} ms (direct {times['direct']:,.1f} ms) |"


def _memory(what: str, stage: Stage) -> str:
    rss = max(_rss_mb(pid) for pid in worker_pids(stage.gateway))
    return f"| {what} | {rss:.0f} MB |"


def _rss_mb(pid: int) -> float:
    fields = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in fields if line.startswith("VmRSS")).split()[1]) / 1000


async def _saved(stage: Stage) -> str:
    """Return how long a saved rule takes until it decides."""
    times: list[float] = []
    for number in range(5):
        rules: list[dict[str, Any]] = [dict(OPEN["rules"][0], reason=f"saved {number}")]
        revision = await stage.gateway.revision()
        began = time.perf_counter()
        stage.gateway.save("rules/open.yaml", {"rules": rules})
        await stage.gateway.enforced_after(revision)
        times.append(time.perf_counter() - began)
    return f"| rule saved to enforced | {statistics.median(times):.2f} s |"


async def _lists() -> list[str]:
    rows: list[str] = []
    for count in (10, 100, 1_000):
        with tempfile.TemporaryDirectory(prefix="mcp-admission-bench-") as root:
            async with staged(Path(root), tools=count) as stage:
                direct = Load(stage.upstream, LISTING, b'"tools"')
                gateway = Load(stage.gateway.url("bench"), LISTING, b'"tools"')
                first = await gateway.run(listing, connections=1, calls=1)
                again = await gateway.run(listing, connections=1, calls=30)
                plain = await direct.run(listing, connections=1, calls=30)
                rows.append(
                    f"| list of {count:,} tools | first {first.p50_ms:.1f} ms, again {again.p50_ms:.1f} ms "
                    f"(direct {plain.p50_ms:.1f} ms) |"
                )
    return rows


async def _decisions() -> list[str]:
    question = question_of()
    shapes = {
        "the stock library, 10 agents": {"agents": 10},
        "the stock library, 10,000 agents": {"agents": 10_000},
        "1 requirement more": {"requirements": 1},
        "30 requirements more": {"requirements": 30},
        "300 requirements more": {"requirements": 300},
    }
    return [
        f"| one decision, {name} | {await decisions.micros(question, **shape):,.0f} µs |"
        for name, shape in shapes.items()
    ]


async def _replayed() -> list[str]:
    """Return the row of `replay`; it has an event loop of its own."""
    found = await asyncio.to_thread(replay.measure)
    return [f"| replay | {replay.said(found)} |"]


if __name__ == "__main__":
    asyncio.run(main())
