"""Bundles that must not be enforced, and hubs that are not there: the old revision keeps deciding, and all is told."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest
import pytest_asyncio

from gateway.artifact.signing import ephemeral_key
from tests.faults.bad_bundles import FAULTS, NEXT
from tests.faults.followed import Stage, built, counterpart, followed
from tests.faults.hubbed import calling, counted
from tests.running import until
from tests.servers.stub_hub import StubHub, stub_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENDED: Final = 'mcp_admission_events_total{event="opa_ended"}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with counterpart() as server, stub_hub() as hub:
        policy = await asyncio.to_thread(built, tmp_path_factory.mktemp("policy"), server)
        hub.publish(policy.bundle(2).content)
        async with followed(tmp_path_factory.mktemp("gateway"), [hub], policy, server) as stage:
            await stage.enforced(policy.bundle(2).revision)
            yield stage


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_bad_bundle_is_told_with_its_code_and_the_old_revision_keeps_deciding(
    shared: Stage, fault: str
) -> None:
    code, made = FAULTS[fault]
    good = shared.policy.bundle(2).revision
    metric = f'mcp_admission_bundles_rejected_total{{code="{code}"}}'
    before, noted = await shared.metric(metric), len(shared.behind.gateway.records("policy"))
    shared.hub.publish(made(shared.policy))

    async def told() -> bool | None:
        fresh = shared.behind.gateway.records("policy")[noted:]
        return any(one["event"] == "rejected" and one["code"] == code for one in fresh) or None

    await until(told, lambda: f"{code} is not in the journal: {shared.behind.gateway.records('policy')[noted:]}")
    assert await shared.metric(metric) > before
    await shared.calls()
    readiness = await shared.behind.gateway.readiness()
    assert readiness["ready"]
    assert code in readiness["policy_problem"]
    assert {worker["revision"] for worker in readiness["workers"]} == {good}
    assert any(code in beat["problem"] for beat in await _beats(shared.hub, code))
    shared.hub.publish(shared.policy.bundle(2).content)

    async def mended() -> bool | None:
        return None if "policy_problem" in await shared.behind.gateway.readiness() else True

    await until(mended, lambda: "the good bundle does not count as followed")


async def _beats(hub: StubHub, code: str) -> list[dict[str, Any]]:
    async def told() -> list[dict[str, Any]] | None:
        return [beat for beat in hub.beats if code in beat["problem"]] or None

    return list(await until(told, lambda: f"no heartbeat names {code}: {hub.beats[-3:]}"))


async def test_a_good_bundle_after_bad_ones_is_enforced_everywhere_and_told_to_the_hub(shared: Stage) -> None:
    shared.hub.publish(shared.policy.bundle(NEXT, key=ephemeral_key()).content)
    await shared.noted("rejected", code="bundle_signature_invalid")
    newer = shared.policy.bundle(3)
    shared.hub.publish(newer.content)
    await shared.enforced(newer.revision)
    assert (await shared.noted("followed", revision=newer.revision))["revision"] == newer.revision

    async def told() -> dict[str, Any] | None:
        last = shared.hub.beats[-1]
        return last if last["revision"] == newer.revision and not last["problem"] else None

    beat = await until(told, lambda: f"the hub was not told: {shared.hub.beats[-1]}")
    assert (beat["gateway"], beat["channel"], beat["labels"]) == ("gateway-1", "production", {"region": "eu"})
    assert beat["emergency"].startswith("emergency@")
    assert shared.hub.asked[-1].query.getall("label") == ["region=eu"]
    assert "snapshot" in shared.hub.asked[-1].headers["Prefer"]
    assert "delta" not in shared.hub.asked[-1].headers["Prefer"]


async def _killed(stage: Stage) -> None:
    """Kill OPA, and wait until another one was started."""
    started = stage.behind.pids("opa_started")
    os.kill(started[-1], signal.SIGKILL)

    async def replaced() -> bool | None:
        return True if len(stage.behind.pids("opa_started")) > len(started) else None

    await until(replaced, lambda: "OPA was not started again")


async def test_a_killed_opa_gets_the_bundle_again_and_decides_by_it(shared: Stage) -> None:
    await shared.behind.gateway.ready()
    revision = await shared.behind.gateway.revision()
    await _killed(shared)
    await shared.enforced(revision)
    await shared.calls()


async def test_opa_killed_in_the_middle_of_a_switch_lets_nothing_be_decided_by_anything_but_the_old_or_the_new(
    shared: Stage,
) -> None:
    behind, gateway = shared.behind, shared.behind.gateway
    await gateway.ready()
    revisions, known = [await gateway.revision()], behind.known()
    behind.server.begin()
    async with calling(behind.line) as seen:
        for seq in (4, 5, 6):
            newer, before = shared.policy.bundle(seq), await shared.metric(ENDED)
            shared.hub.publish(newer.content)
            if seq > 4:
                await shared.noted("followed", revision=newer.revision)
            await _killed(shared)
            revisions.append(newer.revision)
            await shared.enforced(newer.revision)
            assert await shared.metric(ENDED) > before
    assert set(seen) == {"", "policy_unavailable"}, "OPA was missed, and came back"
    calls = [one for one in gateway.records("decided") if one["method"] == "tools/call"]
    fresh = [one for one in calls if one["call_id"] not in known]
    assert {one["revision"] for one in fresh if one["outcome"] == "allow"} <= set(revisions)
    order = [revisions.index(one["revision"]) for one in fresh if one["outcome"] == "allow"]
    assert order == sorted(order), "nothing went back to a revision that was replaced"
    assert len(behind.server.effects) == len(order) == seen.count("")
    await shared.noted("followed", revision=revisions[-1])
    await shared.calls()


async def test_a_hub_that_is_down_for_a_while_leaves_everything_as_it_is(shared: Stage) -> None:
    await shared.hub.down()
    await shared.noted("hub_unreachable")
    await counted(shared, "hub_unreachable")
    await shared.calls()
    assert "hub_problem" in await shared.behind.gateway.readiness()
    await shared.hub.up()
    await shared.noted("hub_reached")
    await counted(shared, "hub_reached")
    newer = shared.policy.bundle(7)
    shared.hub.publish(newer.content)
    await shared.enforced(newer.revision)


async def test_a_gateway_whose_name_a_hub_refuses_says_so_and_goes_on(shared: Stage) -> None:
    shared.hub.refusal = {"error": "the token `eu` may not report as 'us-1'", "remedy": "Correct the gateway's `id`."}
    newer = shared.policy.bundle(8)
    shared.hub.publish(newer.content)
    await shared.enforced(newer.revision)
    told = await shared.noted("heartbeat_refused")
    assert "HTTP 403: the token `eu` may not report as 'us-1'. Correct the gateway's `id`." in told["detail"]
    assert "may not report" in (await shared.behind.gateway.readiness())["heartbeat_problem"]
    await shared.calls()
    shared.hub.refusal = None
    newest = shared.policy.bundle(9)
    shared.hub.publish(newest.content)
    await shared.noted("heartbeat_accepted")
    assert "heartbeat_problem" not in await shared.behind.gateway.readiness()
