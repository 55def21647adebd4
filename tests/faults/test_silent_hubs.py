"""Hubs that take connections and never answer: real hub processes that stand still, before a whole gateway."""

import asyncio
from pathlib import Path

from tests.faults.followed import built, counterpart, followed
from tests.faults.hubbed import calling, counted, limits, published, service, silent, unready
from tests.hubs import ground, serving, twin

STALE_S = 10


async def test_a_silent_hub_is_passed_over_and_what_nobody_confirms_decides_until_its_limit_and_no_longer(
    tmp_path: Path,
) -> None:
    (tmp_path / "one").mkdir()
    made = ground(tmp_path / "one")
    async with counterpart() as server, serving(made) as one, serving(twin(made, tmp_path / "two")) as two:
        policy = await asyncio.to_thread(built, tmp_path, server)
        old = await published(one, policy, 7)
        urls = service(made, one.url, two.url)
        async with followed(tmp_path, [], policy, server, bundle=urls, settings=limits(STALE_S)) as stage:
            await stage.enforced(old)
            async with calling(stage.behind.line) as seen:
                with silent(one):
                    newer = await published(two, policy, 8)
                    passed = await stage.noted("hub_skipped")
                    assert (one.url in passed["detail"], "did not answer" in passed["detail"]) == (True, True)
                    await stage.enforced(newer)
            assert set(seen) == {""}, "the old revision decides until the new one does"
            await counted(stage, "hub_skipped")
            with silent(one, two):
                await stage.calls()
                await stage.noted("hub_unreachable")
                await counted(stage, "hub_unreachable")
                await stage.noted("stale", code="policy_stale", revision=newer)
                told = await unready(stage, "fresh_policy")
                assert "did not answer" in told["hub_problem"]
                assert "check that its hub is reachable" in told["policy_staleness"]
                await stage.calls("policy_stale")
                await counted(stage, "stale")
                assert await stage.metric('mcp_admission_policy_failures_total{code="policy_stale"}') > 0
                effects = len(server.effects)
                assert (await stage.behind.line.called()).reason == "policy_stale"
                assert len(server.effects) == effects
            await stage.calls()
            await stage.behind.gateway.ready()
            await stage.noted("hub_reached")
            await stage.noted("fresh", revision=newer)
