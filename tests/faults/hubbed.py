"""A gateway that follows real hubs, and calls that never pause while something breaks.

Rule 1: a hub is a process of its own, and so is every gateway; both are told apart from the outside only.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from tests import stopping
from tests.faults.followed import Policy, Stage
from tests.faults.wire import Got, Line
from tests.hubs import Ground, Hub
from tests.running import until

STOPPED: Final = "nothing_is_stopped"
EVENTS: Final = "mcp_admission_events_total"


def service(made: Ground, *urls: str) -> dict[str, Any]:
    """Return the settings of who follows hubs of this ground, policy and stops."""
    stops = made.root / "emergency.pub.pem"
    stops.write_text(made.emergency.public_pem, encoding="ascii")
    return {
        "urls": list(urls),
        "token_file": str(made.token_file("gateway")),
        "keys": [{"file": str(made.root / "release.pub.pem")}],
        "emergency": {"file": str(stops)},
    }


def limits(stale_s: int) -> dict[str, Any]:
    """Return the settings of a gateway whose policy is stale after so many seconds."""
    return {"opa": {"deadline_ms": 2_000, "stale_hard_s": stale_s}}


async def published(hub: Hub, policy: Policy, seq: int, **metadata: Any) -> str:
    """Publish the policy under a number, and return its revision."""
    packed = policy.bundle(seq, key=hub.ground.key, **metadata)
    await hub.publish(packed.content)
    return packed.revision


async def stopped(hub: Hub, kind: str, name: str, *, seconds: float = 600) -> str:
    """Stop something at a hub, and return the stop's id."""
    body = {"kind": kind, "name": name, "for_s": seconds, "because": "It went rogue."}
    made = await hub.call("responder", "POST", "/v1/stops", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def lifted(hub: Hub, stop_id: str) -> None:
    """Lift a stop at the hub where it was made."""
    answer = await hub.call("responder", "DELETE", f"/v1/stops/{stop_id}", json={"because": "Mended."})
    assert answer.status_code == 200, answer.text


@contextmanager
def silent(*hubs: Hub) -> Generator[None]:
    """Keep hubs from running during the block: the kernel takes connections for them, and nobody answers."""
    for hub in hubs:
        stopping.stop(hub.process.pid)
    try:
        yield
    finally:
        for hub in hubs:
            hub.process.send_signal(signal.SIGCONT)


def why(got: Got) -> str:
    """Return the requirement that refused a call, else the code of its refusal; empty where it was allowed."""
    result: dict[str, Any] = got.message.get("result", {})
    if "result" in got.message and not result.get("isError"):
        return ""
    reasons: list[dict[str, Any]] = result.get("_meta", {}).get("dev.admission/decision", {}).get("reasons", [])
    return str(reasons[0].get("requirement") or got.reason) if reasons else got.reason or "error"


async def answered(line: Line, reason: str, tool: str = "echo", *more: Any) -> None:
    """Wait until a call is answered like this; an empty reason: it is allowed."""
    last = "nothing"

    async def found() -> bool | None:
        nonlocal last
        last = why(await line.called(tool, None, *more))
        return last == reason or None

    await until(found, lambda: f"{tool} is answered {last!r}, not {reason!r}")


@asynccontextmanager
async def calling(line: Line) -> AsyncGenerator[list[str]]:
    """Call without a pause during the block, and say why each call was refused, empty where it was not."""
    seen: list[str] = []
    over = asyncio.Event()

    async def call() -> None:
        while not over.is_set():
            seen.append(why(await line.called()))

    running = asyncio.create_task(call())
    try:
        yield seen
    finally:
        over.set()
        await running


async def counted(stage: Stage, event: str, since: float = 0) -> None:
    """Assert that an event was counted more often than `since`."""
    assert await stage.metric(f'{EVENTS}{{event="policy_{event}"}}') > since, event


async def unready(stage: Stage, *words: str) -> dict[str, Any]:
    """Wait until the gateway is not ready and says why in these words; return what it says."""
    told: dict[str, Any] = {}

    async def found() -> bool | None:
        told.clear()
        told.update(await stage.behind.gateway.readiness())
        return (told.get("ready") is False and all(word in str(told) for word in words)) or None

    await until(found, lambda: f"it is ready, or does not say {words}: {told}")
    return told


async def told(stage: Stage, event: str, words: str) -> None:
    """Wait until the journal has a policy record of an event with these words in it."""

    async def found() -> bool | None:
        records = stage.behind.gateway.records("policy")
        return any(one["event"] == event and words in one["detail"] for one in records) or None

    await until(found, lambda: f"the journal has no {event} of {words}")
