"""What real gateways behind one hub cost, and how soon the first, the middle and the last of them obey it.

    python -m tests.bench.fleet --gateways 2 50

Rule 1: a gateway enforces what its own answers show: it is called from before the command until it answers anew.
Rule 2: what is measured while callers take a part of the CPU is measured without them, too, by what the hub is told.
Rule 3: it ends everything that it started, also when it is interrupted or terminated.
"""

import argparse
import asyncio
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from tests.bench import trees
from tests.bench.calling import calling, seen
from tests.bench.stage import served, targets
from tests.fleets import CHANNEL, Fleet, fleet
from tests.hubs import cli
from tests.running import catalog

GATEWAYS: Final = (2, 50)
ROUNDS: Final = 5
IDLE_S: Final = 15.0
SETTLE_S: Final = 3.0
"""After a round, so that what it caused is over."""
TOOLS: Final = 2 * ROUNDS + 1
Command = Coroutine[Any, Any, tuple[int, str, str]]
_OUTPUT: Final = Path(".state") / "bench-fleet.md"


class Round(Struct, frozen=True):
    """Milliseconds after the command began until the first, the middle and the last gateway obeyed; until it ended."""

    first: float
    middle: float
    last: float
    ended: float


async def rows(count: int) -> list[str]:
    """Measure so many gateways; return the rows of a Markdown table `what | figure`."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _interrupted, asyncio.current_task())
    with tempfile.TemporaryDirectory(prefix="mcp-admission-bench-") as root, served("tests.bench.upstream") as origin:
        url = f"{origin}/tools/{TOOLS}/mcp"
        servers = {"bench": catalog("bench", url, tools=targets(TOOLS))}
        began, load = time.perf_counter(), trees.load()
        async with fleet(Path(root), servers, count) as running:
            ready = time.perf_counter() - began
            found = [f"| {count} gateways on one hub: started until all ready, {load} | {ready:.1f} s |"]
            say(found[-1])
            for measured in (_idle, _published, _unseen, _stopped, _stopped_unseen):
                found.append(await measured(running))
                say(found[-1])
            return found


def say(text: str) -> None:
    """Show progress at once."""
    print(text, flush=True)  # noqa: T201 - the figures are this program's output


async def _idle(running: Fleet) -> str:
    """Memory, CPU, wake-ups and connections while nothing happens."""
    await asyncio.sleep(SETTLE_S)  # noqa: TID251 - what starting caused is over
    hub = running.hub.process.pid
    kinds: dict[str, list[int]] = {"hub": [hub]}
    for gateway in running.gateways:
        for pid in trees.tree(gateway.process.pid):
            kinds.setdefault(trees.name(pid), []).append(pid)
    load = trees.load()
    before = {kind: (trees.cpu_s(pids), trees.wakeups(pids)) for kind, pids in kinds.items()}
    await asyncio.sleep(IDLE_S)  # noqa: TID251 - the time over which it is measured
    text: list[str] = []
    for kind, pids in kinds.items():
        cpu, woken = trees.cpu_s(pids) - before[kind][0], trees.wakeups(pids) - before[kind][1]
        memory = statistics.median(trees.pss_mb(pid) for pid in pids)
        text.append(
            f"{kind} {memory:.0f} MB, {cpu / IDLE_S:.1%} of a core, {woken / IDLE_S / len(pids):.0f} wake-ups/s each"
        )
    connections = trees.established(urlsplit(running.hub.url).port or 0)
    count = len(running.gateways)
    return f"| {count} gateways idle, {load} | {'; '.join(text)}; {connections} connections at the hub |"


async def _published(running: Fleet) -> str:
    """Rounds of publishing, as calls show them."""
    rounds: list[Round] = []
    load = trees.load()
    for number in range(ROUNDS):
        packed = running.bundle(2 + number)
        command = _publish(running, 2 + number)
        rounds.append(await _obeyed(running, command, "absent", packed.revision.encode()))
    return _row("`bundle publish`: command to the first answer by the new revision", running, rounds, load)


def _publish(running: Fleet, seq: int, *more: str) -> Command:
    file = running.hub.ground.root / "bundle.tar.gz"
    file.write_bytes(running.bundle(seq).content)
    words = (
        "bundle",
        "publish",
        str(file),
        "--to",
        running.hub.url,
        "--channel",
        CHANNEL,
        "--because",
        "a measurement",
    )
    return cli(running.hub.ground, *words, *more)


async def _unseen(running: Fleet) -> str:
    """Rounds of publishing and waiting while nobody calls; the hub tells who confirmed after how long."""
    wait = ("--wait", "--at-least", str(len(running.gateways)))
    commands = [partial(_publish, running, 2 + ROUNDS + number, *wait) for number in range(ROUNDS)]
    return await _confirmed(running, "`bundle publish --wait`", commands)


async def _stopped(running: Fleet) -> str:
    """Rounds of stopping, each another tool, as calls show them."""
    rounds: list[Round] = []
    load = trees.load()
    for number in range(ROUNDS):
        command = _stop(running, number)
        rounds.append(await _obeyed(running, command, f"tool_{1 + number}", b"nothing_is_stopped"))
    return _row("`stop`: command to the first refused call", running, rounds, load)


async def _stopped_unseen(running: Fleet) -> str:
    """Rounds of stopping and waiting while nobody calls."""
    wait = ("--wait", "--at-least", str(len(running.gateways)))
    commands = [partial(_stop, running, ROUNDS + number, *wait) for number in range(ROUNDS)]
    return await _confirmed(running, "`stop --wait`", commands)


def _stop(running: Fleet, number: int, *more: str) -> Command:
    words = ("stop", "--target", f"bench/tool_{1 + number}", "--for", "1h", "--because", "a measurement")
    return cli(running.hub.ground, *words, "--hub", running.hub.url, *more, role="responder")


async def _confirmed(running: Fleet, what: str, commands: Sequence[Callable[[], Command]]) -> str:
    """Run commands that wait; return the row of how long they took, and of what the hub was told."""
    took: list[float] = []
    after: list[tuple[float, float]] = []
    load = trees.load()
    for command in commands:
        await asyncio.sleep(SETTLE_S)  # noqa: TID251 - what the last round caused is over
        began = time.perf_counter()
        code, _, err = await command()
        took.append((time.perf_counter() - began) * 1000)
        if code:
            raise ChildProcessError(err)
        after.append(await _times(running, err))
    middle, last = (statistics.median(each[place] for each in after) for place in (0, 1))
    text = (
        f"{_ms(took)}; after the hub had it the middle gateway confirmed in {middle:.0f} ms, the last in {last:.0f} ms"
    )
    return f"| {len(running.gateways)} gateways, nobody calls: {what}, median of {len(commands)}, {load} | {text} |"


async def _times(running: Fleet, said: str) -> tuple[float, float]:
    """Return after how many milliseconds the middle and the last gateway confirmed what a command waited for."""
    revision = said.strip().splitlines()[-1].split(" ")[0]
    told = (await running.hub.call("reader", "GET", f"/v1/rollouts/{revision}")).json()
    times = [each["after_ms"] for each in told["confirmed"]]
    return statistics.median(times), max(times)


async def _obeyed(running: Fleet, command: Command, tool: str, wanted: bytes) -> Round:
    """Call every gateway from before the command until its answer is the wanted one."""
    callers = [await calling(gateway) for gateway in running.gateways]
    for caller in callers:
        if wanted in await caller.call(tool):
            raise AssertionError("the answer is there before the command")
    await asyncio.sleep(SETTLE_S)  # noqa: TID251 - what the last round caused is over
    began = time.perf_counter()
    commanding = asyncio.create_task(command)
    seeing = asyncio.create_task(seen(callers, tool, wanted))
    code, _, err = await commanding
    ended = time.perf_counter()
    if code:
        raise ChildProcessError(err)
    times = [(at - began) * 1000 for at in await seeing]
    return Round(times[0], statistics.median(times), times[-1], (ended - began) * 1000)


def _row(what: str, running: Fleet, rounds: Sequence[Round], load: str) -> str:
    first, middle, last, ended = (
        [getattr(each, name) for each in rounds] for name in ("first", "middle", "last", "ended")
    )
    text = (
        f"first {_ms(first)}, middle {_ms(middle)}, last {_ms(last)} (worst {max(last):.0f} ms); command {_ms(ended)}"
    )
    return f"| {len(running.gateways)} gateways: {what}, median of {len(rounds)}, {load} | {text} |"


def _ms(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.0f} ms"


async def main(counts: Sequence[int]) -> None:
    """Measure, print and write the table."""
    lines = ["| what | figure |", "|---|---|"]
    for count in counts:
        lines += await rows(count)
    _OUTPUT.parent.mkdir(exist_ok=True)
    _OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _interrupted(task: "asyncio.Task[None] | None") -> None:
    if task is not None:
        task.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet")
    parser.add_argument("--gateways", type=int, nargs="+", default=GATEWAYS, metavar="N")
    try:
        asyncio.run(main(parser.parse_args().gateways))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("interrupted; everything that was started has ended")
