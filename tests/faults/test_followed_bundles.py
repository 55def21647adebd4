"""What a gateway follows over restarts, outages, exchanged keys and the end of a policy's time."""

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec import Struct

from gateway.artifact.manifest import rfc3339
from gateway.artifact.signing import ephemeral_key
from tests.faults.bad_bundles import NEXT, PAST, manifest_changed
from tests.faults.followed import KEY, Counterpart, Policy, Stage, built, counterpart, followed
from tests.faults.hubbed import counted, unready
from tests.servers.stub_hub import stub_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Ground(Struct, frozen=True):
    """What every gateway here stands on: a server, and the policy that allows everything on it."""

    server: Counterpart
    policy: Policy


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Ground]:
    async with counterpart() as server:
        yield Ground(server, await asyncio.to_thread(built, tmp_path_factory.mktemp("policy"), server))


async def test_a_gateway_that_starts_while_its_hub_is_down_uses_the_kept_bundle_until_it_is_stale(
    tmp_path: Path, ground: Ground
) -> None:
    async with stub_hub() as hub:
        server, policy = ground.server, ground.policy
        hub.publish(policy.bundle(7).content)
        async with followed(tmp_path, [hub], policy, server) as first:
            await first.enforced(policy.bundle(7).revision)
        await hub.down()
        async with followed(tmp_path, [hub], policy, server, ready=False) as again:
            await again.enforced(policy.bundle(7).revision)
            await again.calls()
            await again.noted("hub_unreachable")
        stale = {"opa": {"deadline_ms": 2_000, "stale_hard_s": 1}}
        async with followed(tmp_path, [hub], policy, server, ready=False, settings=stale) as late:
            await late.calls("policy_stale")
            await late.noted("stale", code="policy_stale")
            await unready(late, "fresh_policy", "check that its hub is reachable")
            await counted(late, "stale")
            assert await late.metric('mcp_admission_policy_failures_total{code="policy_stale"}') > 0
            await hub.up()
            await hub_holds_shortly(late)


async def hub_holds_shortly(stage: Stage) -> None:
    """A hub that is there again confirms what is enforced, and calls pass."""
    newer = stage.policy.bundle(8)
    stage.hub.publish(newer.content)
    await stage.calls()


async def test_a_kept_bundle_that_was_changed_on_disk_decides_nothing(tmp_path: Path, ground: Ground) -> None:
    async with stub_hub() as hub:
        policy = ground.policy
        hub.publish(policy.bundle(7).content)
        async with followed(tmp_path, [hub], policy, ground.server) as first:
            await first.enforced(policy.bundle(7).revision)
        await hub.down()
        (tmp_path / "state" / "bundles" / "policy.tar.gz").write_bytes(manifest_changed(policy))
        async with followed(tmp_path, [hub], policy, ground.server, ready=False) as again:
            await again.noted("rejected", code="bundle_signature_invalid")
            assert (await again.behind.line.called()).reason == "policy_unavailable"
            assert "no acceptable bundle" in (await again.behind.gateway.readiness())["missing"]["policy"]


async def test_a_lower_number_than_was_enforced_before_is_refused_also_after_a_restart(
    tmp_path: Path, ground: Ground
) -> None:
    async with stub_hub() as hub:
        policy = ground.policy
        hub.publish(policy.bundle(7).content)
        async with followed(tmp_path, [hub], policy, ground.server) as first:
            await first.enforced(policy.bundle(7).revision)
        for name in ("policy.tar.gz", "policy.json"):
            (tmp_path / "state" / "bundles" / name).unlink()
        hub.publish(policy.bundle(6).content)
        async with followed(tmp_path, [hub], policy, ground.server, ready=False) as again:
            await again.noted("rejected", code="policy_regressed")
            assert (await again.behind.line.called()).reason == "policy_unavailable"
            hub.publish(policy.bundle(8).content)
            await again.enforced(policy.bundle(8).revision)


async def test_the_second_hub_is_followed_while_the_first_is_down_silent_or_bad(tmp_path: Path, ground: Ground) -> None:
    async with stub_hub() as first, stub_hub() as second:
        policy = ground.policy
        await first.down()
        second.publish(policy.bundle(7).content)
        async with followed(tmp_path, [first, second], policy, ground.server) as stage:
            await stage.enforced(policy.bundle(7).revision)
            first.publish(policy.bundle(NEXT, key=None).content)
            await first.up()
            await second.down()
            await stage.noted("rejected", code="bundle_unsigned")
            await stage.calls()
            second.publish(policy.bundle(8).content)
            await second.up()
            await stage.enforced(policy.bundle(8).revision)


async def test_two_keys_are_valid_at_once_so_that_one_is_replaced_without_a_restart(
    tmp_path: Path, ground: Ground
) -> None:
    new, policy = ephemeral_key(), ground.policy
    (tmp_path / "new.pem").write_text(new.public_pem)
    (tmp_path / "key.pem").write_text(KEY.public_pem)
    keys = [{"file": str(tmp_path / name)} for name in ("key.pem", "new.pem")]
    async with stub_hub() as hub:
        hub.publish(policy.bundle(7).content)
        async with followed(tmp_path, [hub], policy, ground.server, bundle={"keys": keys}) as stage:
            await stage.enforced(policy.bundle(7).revision)
            hub.publish(policy.bundle(8, key=new).content)
            await stage.enforced(policy.bundle(8).revision)
            (tmp_path / "key.pem").unlink()
            hub.publish(policy.bundle(9).content)
            await stage.noted("rejected", code="bundle_signature_invalid")
            hub.publish(policy.bundle(10, key=new).content)
            await stage.enforced(policy.bundle(10).revision)


async def test_a_policy_whose_time_ends_while_it_is_in_force_refuses_and_a_newer_one_is_taken(
    tmp_path: Path, ground: Ground
) -> None:
    async with stub_hub() as hub:
        policy = ground.policy
        hub.publish(policy.bundle(6).content)
        async with followed(tmp_path, [hub], policy, ground.server) as stage:
            await stage.calls()
            end = time.time() + 8
            hub.publish(policy.bundle(7, not_after=rfc3339(end)).content)
            await stage.enforced(policy.bundle(7).revision)
            await stage.calls()
            await stage.noted("expires_soon")
            assert "policy_end" in await stage.behind.gateway.readiness()
            assert await stage.metric("mcp_admission_policy_not_after_seconds") == int(end)
            await stage.calls("policy_expired")
            await stage.noted("expired", code="policy_expired")
            await unready(stage, "decision (policy_expired", "publish it again, or a newer one")
            await counted(stage, "expired")
            assert await stage.metric('mcp_admission_policy_failures_total{code="policy_expired"}') > 0
            hub.publish(policy.bundle(8).content)
            await stage.calls()


async def test_grace_lets_a_policy_decide_beyond_its_end(tmp_path: Path, ground: Ground) -> None:
    async with stub_hub() as hub:
        policy = ground.policy
        hub.publish(policy.bundle(7, not_after=PAST).content)
        bundle = {"not_after_grace_s": 7200}
        async with followed(tmp_path, [hub], policy, ground.server, bundle=bundle) as stage:
            await stage.enforced(policy.bundle(7).revision)
            await stage.calls()


async def test_a_key_that_opa_could_not_verify_with_is_refused_at_the_start_in_words(
    tmp_path: Path, ground: Ground
) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - this test alone makes such a key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above

    pem = Ed25519PrivateKey.generate().public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "ed.pem").write_bytes(pem.public_bytes(serialization.Encoding.PEM, form))
    keys = {"keys": [{"file": str(tmp_path / "ed.pem")}]}
    async with stub_hub() as hub:
        with pytest.raises(AssertionError, match="it does not support EdDSA"):
            async with followed(tmp_path, [hub], ground.policy, ground.server, bundle=keys):
                pass
