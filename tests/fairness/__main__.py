"""`python -m tests.fairness [CASE ...]`: what a caller notices of another's misbehavior.

Rule 1: one gateway with one worker, a real OPA and a durable journal, with the settings that it has by default.
Rule 2: attackers, callers and servers, are processes of their own with `nice 19`; the victim has neither in common.
Rule 3: the median of at least 200 calls of the victim is at most 5 times its idle median, measured just before, and
none is refused. The largest latency is printed, and judged by people.
Rule 4: on a machine so busy that 200 calls at 5 times the idle median do not fit, a case without another fault is
inconclusive. That is printed, and fails the run as well.
Rule 5: a case lasts 10 s at most, and everything that was started ends with the run.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway.identity.tokens import digest, token
from tests.fairness import attacker, victim
from tests.fairness.case import CASES
from tests.fairness.cases import load
from tests.fairness.victim import Latencies, Victim
from tests.faults.wire import call
from tests.running import Gateway, catalog, running

CALLS: Final = 200
RATIO: Final = 5.0
IDLE_S: Final = 3.0
ATTACKED_S: Final = 9.0
_AT_LEAST_S: Final = 2.5
"""An attack takes a moment until it shows."""
_SETTLE_S: Final = 5.0
_ORDINARY: Final = "ordinary"
"""A server of the attacker's that is not of any case."""
_COLUMNS: Final = "{:<30} {:>7} {:>8} {:>6} {:>8} {:>5} {:>4}  {}"


class Row(Struct, frozen=True, kw_only=True):
    """What one case showed."""

    name: str
    idle: Latencies
    attacked: Latencies
    recovered: bool
    """Whether calls took about as long as before, some seconds after the attacker had ended."""

    @property
    def ratio(self) -> float:
        """How many times its idle median a call took."""
        return self.attacked.median / self.idle.median

    @property
    def verdict(self) -> str:
        """What is wrong; empty if nothing is."""
        faults: list[str] = []
        if self.ratio > RATIO:
            faults.append(f"median above {RATIO:.0f} times idle")
        if len(self.attacked.millis) < CALLS and not self.inconclusive:
            faults.append(f"fewer than {CALLS} calls")
        if not self.recovered:
            faults.append(f"still slow {_SETTLE_S:.0f} s after the attack")
        faults += [f"{count} refused: {why}" for why, count in self.attacked.refused.items()]
        return "; ".join(faults)

    @property
    def inconclusive(self) -> bool:
        """Whether the machine, and not the attack, is why there were fewer calls than a case needs."""
        fair_ms = RATIO * self.idle.median
        too_few = len(self.attacked.millis) < CALLS and CALLS * fair_ms > ATTACKED_S * 1e3
        return too_few and self.attacked.mean <= fair_ms

    def __str__(self) -> str:
        """Return the row of the table."""
        return _COLUMNS.format(
            self.name,
            f"{self.idle.median:.1f}",
            f"{self.attacked.median:.1f}",
            f"{self.ratio:.1f}",
            f"{self.attacked.largest:.0f}",
            len(self.attacked.millis),
            sum(self.attacked.refused.values()),
            self.verdict or ("inconclusive: the machine is too busy" if self.inconclusive else "ok"),
        )


@contextmanager
def started(*command: str) -> Generator[subprocess.Popen[str]]:
    """Run a program until the end of the block, with the lowest priority if its module attacks."""
    nice = [] if command[0] == "tests.bench.upstream" else ["nice", "-n", "19"]
    with subprocess.Popen(
        [*nice, sys.executable, "-m", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().strip() if process.stdout else ""


def _agent(name: str, secret: bytes) -> dict[str, Any]:
    held = {"sha256": digest(token(secret)), "holder": "a@example.com", "expires": "2099-01-01T00:00:00Z"}
    return {"agent": name, "owner": "a@example.com", "purpose": "tests", "kind": "test", "tokens": [held]}


@asynccontextmanager
async def stage(root: Path, names: list[str]) -> AsyncGenerator["Stage"]:
    """Run the servers, the gateway before them, and what starts attackers."""
    with started("tests.bench.upstream") as ordinary, started("tests.fairness.hostile") as hostile:
        servers: dict[str, Any] = {
            victim.SERVER: catalog(victim.SERVER, f"http://127.0.0.1:{_line(ordinary)}/tools/1/mcp")
        }
        origin = f"http://127.0.0.1:{_line(hostile)}"
        for name in (_ORDINARY, *names):
            tools = {"echo": {"action": "read"}} | {f"tool_{n}": {"action": "read"} for n in range(100)}
            servers[name] = catalog(name, f"{origin}/{name}/mcp", tools=tools, timeout_s=5)
        files = {
            "agents/attacker.yaml": _agent("attacker", attacker.SECRET),
            "agents/victim.yaml": _agent("victim", victim.SECRET),
            "agents/anyone.yaml": {**_agent("anyone", b"n" * 32)},
        }
        settings = {
            "workers": 1,
            "identity": {"anonymous": False},
            "opa": {"deadline_ms": 250},
            "lists": {"deadline_ms": 250},
            "journal": {"masking": "masked"},
        }
        async with running(root, servers=servers, files=files, settings=settings) as gateway:
            options = (gateway.origin, str(gateway.root / "settings.yaml"), str(ATTACKED_S + 1))
            await _check(gateway)
            with started("tests.fairness.attacker", *options) as attackers:
                yield Stage(gateway.origin, attackers)


async def _check(gateway: Gateway) -> None:
    """Fail if the attacker's ordinary calls do not reach its server: then every case would measure refusals."""
    caller = attacker.Attacker(gateway.origin, _ORDINARY, gateway.root)
    answer = await caller.post(call("echo"))
    if b'"ok"' not in answer:
        message = f"the attacker cannot call its server: {answer[:500]!r}"
        raise AssertionError(message)


class Stage:
    """The gateway, and what attacks it."""

    def __init__(self, origin: str, attackers: subprocess.Popen[str]) -> None:
        """Take where the gateway is, and the process that starts attackers."""
        self.origin: Final = origin
        self._attackers: Final = attackers

    @asynccontextmanager
    async def attacked(self, name: str) -> AsyncGenerator[None]:
        """Run the attack of a case until the end of the block."""
        assert self._attackers.stdin is not None
        self._attackers.stdin.write(name + "\n")
        self._attackers.stdin.flush()
        pid = int(await asyncio.to_thread(_line, self._attackers))
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):  # its time may be over
                os.kill(pid, signal.SIGKILL)


async def measured(staged: Stage, name: str) -> Row:
    """Measure one case."""
    called = Victim(staged.origin)
    idle = await called.calls(CALLS, at_most_s=IDLE_S)
    async with staged.attacked(name):
        attacked = await called.calls(CALLS, at_least_s=_AT_LEAST_S, at_most_s=ATTACKED_S)
    called.close()
    return Row(name=name, idle=idle, attacked=attacked, recovered=await _recovered(staged, idle))


async def _recovered(staged: Stage, idle: Latencies) -> bool:
    """Wait until calls take about as long as before, so that one case is not measured in the next."""
    called = Victim(staged.origin)
    loop = asyncio.get_running_loop()
    end = loop.time() + _SETTLE_S
    while loop.time() < end:
        now = await called.calls(20, at_most_s=2)
        if now.median <= 2 * idle.median and not now.refused:
            called.close()
            return True
    called.close()
    return False


async def main(names: list[str]) -> int:
    """Run cases and print their table; the exit code is 1 if any failed."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _interrupted, asyncio.current_task())
    _say(_COLUMNS.format("case", "idle ms", "attacked", "ratio", "largest", "calls", "ref.", "verdict"))
    left, failed = list(names), list[str]()
    while left:
        with tempfile.TemporaryDirectory(prefix="mcp-admission-fairness-") as root:
            async with stage(Path(root), names) as staged:
                await _until_slow(staged, left, failed)
    _say(f"{len(names) - len(failed)} of {len(names)} cases are fair. The others: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


async def _until_slow(staged: Stage, left: list[str], failed: list[str]) -> None:
    """Measure cases one after the other, as long as the gateway recovers from them: no case is charged to the next."""
    while left:
        row = await measured(staged, left.pop(0))
        failed += [row.name] if row.verdict or row.inconclusive else []
        _say(str(row))
        if not row.recovered:
            return


def _interrupted(task: "asyncio.Task[object] | None") -> None:
    if task is not None:
        task.cancel()


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the table is this program's output


if __name__ == "__main__":
    load()
    parser = argparse.ArgumentParser(prog="python -m tests.fairness")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="which to run (default: all)")
    chosen = parser.parse_args().cases or sorted(CASES)
    unknown = set(chosen) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are: {', '.join(sorted(CASES))}")
    try:
        sys.exit(asyncio.run(main(chosen)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("interrupted; everything that was started has ended")
