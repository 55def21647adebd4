"""Clocks that are an hour off, a hub's or the gateway's own: nothing is denied for it, and no stop is lost by it."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from msgspec import Struct

from gateway.artifact.manifest import rfc3339
from tests.faults.followed import Stage, built, counterpart, followed
from tests.faults.hubbed import STOPPED, answered, calling, counted, lifted, limits, published, service, stopped, told
from tests.hubs import Hub, ground, serving, twin
from tests.running import until
from tests.servers.odd_clock import odd_python

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR_S: Final = 3600
STALE_S: Final = 14


class Clocks(Struct):
    """A gateway whose clock is right, a hub that is an hour ahead of it, and one that is an hour behind."""

    stage: Stage
    ahead: Hub
    behind: Hub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clocks(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Clocks]:
    root = tmp_path_factory.mktemp("gateway")
    made = ground(tmp_path_factory.mktemp("hub"))
    early, late = odd_python(root, HOUR_S), odd_python(root, -HOUR_S)
    async with (
        counterpart() as server,
        serving(made, python=early) as ahead,
        serving(twin(made, root / "two"), python=late) as behind,
    ):
        policy = await asyncio.to_thread(built, root, server)
        revisions = [await published(hub, policy, 7) for hub in (ahead, behind)]
        urls = service(made, ahead.url, behind.url)
        async with followed(root, [], policy, server, bundle=urls, settings=limits(STALE_S)) as stage:
            await stage.enforced(revisions[0])
            yield Clocks(stage, ahead, behind)


async def test_a_hub_whose_clock_is_off_is_told_in_journal_metrics_and_readiness(clocks: Clocks) -> None:
    said: dict[str, Any] = {}

    async def found() -> bool | None:
        said.update(await clocks.stage.behind.gateway.readiness())
        return len(said.get("clock_problem", "").split("; ")) == 2 or None

    await until(found, lambda: f"it is not told: {said}")
    details = [one["detail"] for one in clocks.stage.behind.gateway.records("policy") if one["event"] == "clock_skew"]
    for hub, words in ((clocks.ahead, "ahead of"), (clocks.behind, "behind")):
        assert any(hub.url in detail and words in detail for detail in details), details
        assert f"{words} this machine's" in said["clock_problem"]
    await counted(clocks.stage, "clock_skew", 1)
    assert said["ready"], "it is no reason to refuse anything"


@pytest.mark.parametrize("which", ["ahead", "behind"])
async def test_a_stop_binds_from_when_it_comes_until_it_is_lifted_or_its_time_has_passed_here(
    clocks: Clocks, which: str
) -> None:
    hub: Hub = getattr(clocks, which)
    line = clocks.stage.behind.line
    lasting = await stopped(hub, "target", "s/delete", seconds=HOUR_S / 2)
    await answered(line, STOPPED, "delete")
    await answered(line, "")
    await told(clocks.stage, "stopped", lasting)
    await lifted(hub, lasting)
    await answered(line, "", "delete")
    await told(clocks.stage, "lifted", lasting)


async def test_a_stop_at_a_hub_that_is_behind_ends_after_its_time_and_that_is_told(clocks: Clocks) -> None:
    line = clocks.stage.behind.line
    ended = await clocks.stage.metric('mcp_admission_events_total{event="policy_stop_ended"}')
    stop = await stopped(clocks.behind, "target", "s/delete", seconds=5)
    await answered(line, STOPPED, "delete")
    await answered(line, "", "delete")
    await told(clocks.stage, "stop_ended", stop)
    await counted(clocks.stage, "stop_ended", ended)


async def test_when_the_hub_that_is_ahead_is_gone_the_other_is_followed_at_once_and_no_stop_is_lost(
    clocks: Clocks,
) -> None:
    stage, line = clocks.stage, clocks.stage.behind.line
    await stopped(clocks.ahead, "target", "s/delete")
    await answered(line, STOPPED, "delete")
    before = await stage.behind.gateway.revision()
    async with calling(line) as seen:
        clocks.ahead.process.send_signal(signal.SIGKILL)
        newer = await published(clocks.behind, stage.policy, 8)
        await stage.enforced(newer)
        assert newer != before
        await stage.noted("emergency_hub_unreachable")
        await counted(stage, "emergency_hub_unreachable")
        assert clocks.ahead.url in (await stage.behind.gateway.readiness())["hub_problem"]
    assert set(seen) == {""}, "nothing is refused because a clock is off"
    await answered(line, STOPPED, "delete")
    stop = await stopped(clocks.behind, "agent", "anyone", seconds=HOUR_S / 2)
    await answered(line, STOPPED)
    await lifted(clocks.behind, stop)
    await answered(line, "")
    await answered(line, STOPPED, "delete")
    confirmed = (await stage.behind.gateway.readiness())["workers"][0]
    assert (confirmed["staleness"], confirmed["revision"]) == ("fresh", newer)


async def test_a_gateway_whose_own_clock_is_an_hour_ahead_says_so_and_loses_neither_policy_nor_stop(
    tmp_path: Path, clocks: Clocks
) -> None:
    made, policy, server = ground(tmp_path), clocks.stage.policy, clocks.stage.behind.server
    async with serving(made) as hub:
        old = await published(hub, policy, 7)
        more: dict[str, Any] = {"bundle": service(made, hub.url), "python": odd_python(tmp_path, HOUR_S)}
        async with followed(tmp_path, [], policy, server, **more) as stage:
            await stage.enforced(old)
            await told(stage, "clock_skew", "behind")
            await counted(stage, "clock_skew")
            await published(hub, policy, 8, not_after=rfc3339(time.time() + HOUR_S / 2))
            await stage.noted("rejected", code="policy_expired")
            assert await stage.metric('mcp_admission_bundles_rejected_total{code="policy_expired"}') > 0
            await stage.calls()
            assert await stage.behind.gateway.revision() == old, "what is over here is not enforced; the old one is"
            assert "clock_problem" in await stage.behind.gateway.readiness()
            stop = await stopped(hub, "agent", "anyone", seconds=HOUR_S / 2)
            await answered(stage.behind.line, STOPPED)
            await lifted(hub, stop)
            await stage.calls()
