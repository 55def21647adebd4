"""How long it takes from publishing to enforcing, and from stopping to refusing, with few and many OPAs on one hub.

    python -m tests.bench.publishing

Rule 1: a bundle is enforced when OPA has activated it, which OPA's status tells to the nanosecond on the same clock;
what is measured begins before the upload.
Rule 2: a stop counts when a decision that it concerns is refused: one OPA is asked without pause from before the call.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from tests.hubs import Ground, Hub, bundle, cli, ground, serving
from tests.opas import STOPPED, Opa, many

PUBLISHES: Final = 20
STOPS: Final = 20
COMMANDS: Final = 5
PUBLISHED_TO: Final = (1, 50)
STOPPED_FOR: Final = (2, 50)
SETTLE_S: Final = 0.3
"""Between two rounds, so that every OPA waits again: it asks at most once a second after an answer."""


class Round(Struct, frozen=True):
    """One publish: milliseconds until the first, the middle and the last OPA enforced it."""

    first: float
    middle: float
    last: float


async def rows() -> list[str]:
    """Measure everything; return the rows of a Markdown table `what | figure`."""
    found: list[str] = []
    for count in sorted({*PUBLISHED_TO, *STOPPED_FOR}):
        with tempfile.TemporaryDirectory(prefix="mcp-admission-bench-") as root:
            made = ground(Path(root))
            async with serving(made) as hub, many(made, hub.url, count) as opas:
                await _published(hub, opas, 0)
                if count in PUBLISHED_TO:
                    found.append(_row(count, [await _published(hub, opas, number + 1) for number in range(PUBLISHES)]))
                if count in STOPPED_FOR:
                    found += await _stopped(made, hub, opas)
    return found


async def _published(hub: Hub, opas: Sequence[Opa], number: int) -> Round:
    content = bundle(f"bench {number}", hub.ground.key, number + 1)
    await _waiting(hub, 2 * len(opas) if number else len(opas))
    began = time.time()
    pointer = await hub.publish(content)
    times = sorted([(await opa.activated(pointer["revision"]) - began) * 1000 for opa in opas])
    return Round(times[0], statistics.median(times), times[-1])


async def _waiting(hub: Hub, count: int) -> None:
    """Wait until every OPA waits at the hub: for the policy, where there is one, and for the stops."""
    while True:
        text = (await hub.call("reader", "GET", "/metrics")).text
        line = next(line for line in text.splitlines() if line.startswith("mcp_admission_hub_waiting"))
        if float(line.split()[1]) >= count:
            return
        await asyncio.sleep(SETTLE_S)  # noqa: TID251 - the rhythm of looking, outside of what is measured


def _row(count: int, rounds: Sequence[Round]) -> str:
    first, middle, last = (
        statistics.median(getattr(each, name) for each in rounds) for name in ("first", "middle", "last")
    )
    worst = max(each.last for each in rounds)
    opas = "1 OPA" if count == 1 else f"{count} OPAs"
    text = f"first {first:.0f} ms, middle {middle:.0f} ms, last {last:.0f} ms (worst {worst:.0f} ms)"
    return f"| published to enforced, {opas} on one hub, median of {len(rounds)} | {text} |"


async def _stopped(made: Ground, hub: Hub, opas: Sequence[Opa]) -> list[str]:
    called = [await _refused(hub, opas, _by_call(hub, f"bot-{number}")) for number in range(STOPS)]
    commands = [await _refused(hub, opas, _by_command(made, hub, f"cli-{number}")) for number in range(COMMANDS)]
    ways = {"stop (HTTP call)": called, "`mcp-admission stop`": commands}
    return [_stop_row(way, len(opas), times) for way, times in ways.items()]


def _stop_row(way: str, opas: int, times: Sequence[tuple[float, float]]) -> str:
    refused, lasts = [each[0] for each in times], [each[1] for each in times]
    text = f"{statistics.median(refused):.0f} ms (worst {max(refused):.0f} ms)"
    more = f"enforced by the last OPA after {statistics.median(lasts):.0f} ms"
    return f"| {way} to the first refused decision, {opas} OPAs, median of {len(times)} | {text}; {more} |"


async def _refused(hub: Hub, opas: Sequence[Opa], stop: Any) -> tuple[float, float]:
    """Return the milliseconds until a decision is refused, and until the last OPA enforces the stop."""
    await _waiting(hub, 2 * len(opas))
    before = len((await opas[0].ask(STOPPED))["result"])
    began = time.time()
    stopping = asyncio.create_task(stop)
    while len((await opas[0].ask(STOPPED))["result"]) == before:
        pass
    refused = time.time()
    await stopping
    revision = (await hub.call("reader", "GET", "/v1/stops")).json()["revision"]
    last = max([await opa.activated(revision, "emergency") for opa in opas])
    return (refused - began) * 1000, (last - began) * 1000


async def _by_call(hub: Hub, name: str) -> None:
    body = {"kind": "agent", "name": name, "for_s": 3600, "because": "a measurement"}
    (await hub.call("responder", "POST", "/v1/stops", json=body)).raise_for_status()


async def _by_command(made: Ground, hub: Hub, name: str) -> None:
    words = ("stop", "--agent", name, "--for", "1h", "--because", "a measurement", "--hub", hub.url)
    code, _, err = await cli(made, *words, role="responder")
    if code:
        raise ChildProcessError(err)


async def main() -> None:
    """Measure, and print the table."""
    print("\n".join(["| what | figure |", "|---|---|", *await rows()]))  # noqa: T201 - the table is this program's output


if __name__ == "__main__":
    asyncio.run(main())
