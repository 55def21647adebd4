"""Bundles that must not be enforced, and hubs that are not there: the old revision keeps deciding, and all is told."""

import asyncio
import gzip
import io
import os
import signal
import tarfile
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from gateway.bundle import combiner
from gateway.bundle.artefact import MOST_BYTES
from gateway.bundle.manifest import Metadata, rfc3339
from gateway.bundle.pack import archived, pack
from gateway.bundle.signing import ephemeral_key
from tests.faults.followed import ENVIRONMENT, KEY, Policy, Stage, built, counterpart, followed
from tests.faults.hubbed import calling, counted, unready
from tests.running import until
from tests.servers.stub_hub import StubHub, stub_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEXT: Final = 100
ENDED: Final = 'mcp_admission_events_total{event="opa_ended"}'
PAST: Final = rfc3339(time.time() - 3600)


def truncated(policy: Policy) -> bytes:
    content = policy.bundle(NEXT).content
    return content[: len(content) // 2]


def changed(policy: Policy, was: bytes, now: bytes) -> bytes:
    """The bundle with one word changed after it was signed."""
    content = gzip.decompress(policy.bundle(NEXT).content)
    assert was in content
    return gzip.compress(content.replace(was, now))


def policy_changed(policy: Policy) -> bytes:
    """Its content is not what its revision names any more."""
    return changed(policy, b'"default":"deny"', b'"default":"deni"')


def manifest_changed(policy: Policy) -> bytes:
    """Its content is what its revision names, but the manifest is not what was signed."""
    return changed(policy, b'"rego_version":1', b'"rego_version":0')


def delta(policy: Policy) -> bytes:
    return archived({**dict(policy.files), **_manifest(policy), "patch.json": b'{"data":[]}'}, KEY)


def _manifest(policy: Policy) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(policy.bundle(NEXT).content))) as archive:
        held = archive.extractfile("/.manifest")
        assert held is not None
        return {".manifest": held.read()}


def heedless(policy: Policy) -> bytes:
    """A policy that asks of its messages everything but whether they are stopped."""
    lines = policy.files[combiner.PATH].splitlines(keepends=True)
    kept = b"".join(line for line in lines if b"nothing_is_stopped" not in line)
    return pack({**policy.files, combiner.PATH: kept}, Metadata(environment=ENVIRONMENT, seq=NEXT), key=KEY).content


def bomb(_: Policy) -> bytes:
    """A few KB that unpack to more than a bundle may hold."""
    return gzip.compress(bytes(600 * 1024 * 1024), compresslevel=9)


FAULTS: Final[dict[str, tuple[str, Callable[[Policy], bytes]]]] = {
    "with a changed policy": ("bundle_unreadable", policy_changed),
    "with a changed manifest": ("bundle_signature_invalid", manifest_changed),
    "truncated": ("bundle_unreadable", truncated),
    "unparsable": ("bundle_unreadable", lambda _: b"no bundle at all"),
    "unsigned": ("bundle_unsigned", lambda policy: policy.bundle(NEXT, key=None).content),
    "wrongly signed": ("bundle_signature_invalid", lambda policy: policy.bundle(NEXT, key=ephemeral_key()).content),
    "of a lower number": ("policy_regressed", lambda policy: policy.bundle(1).content),
    "expired": ("policy_expired", lambda policy: policy.bundle(NEXT, not_after=PAST).content),
    "of another environment": (
        "bundle_of_other_environment",
        lambda policy: policy.bundle(NEXT, environment="elsewhere").content,
    ),
    "for a newer gateway": (
        "bundle_needs_newer_gateway",
        lambda policy: policy.bundle(NEXT, lowest_gateway="99.0.0").content,
    ),
    "for other questions": (
        "bundle_input_unknown",
        lambda policy: policy.bundle(NEXT, input_schema="mcp.input/v9").content,
    ),
    "without the requirement that refuses what is stopped": ("bundle_ignores_stops", heedless),
    "a delta": ("bundle_delta", delta),
    "huge": ("bundle_too_large", lambda _: b"\0" * (MOST_BYTES + 1)),
    "a bomb": ("bundle_too_large", bomb),
}


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


async def test_a_killed_opa_gets_the_bundle_again_and_decides_by_it(shared: Stage) -> None:
    await shared.behind.gateway.ready()
    revision = await shared.behind.gateway.revision()
    os.kill(shared.behind.pids("opa_started")[-1], signal.SIGKILL)

    async def replaced() -> bool | None:
        return True if len(shared.behind.pids("opa_started")) > 1 else None

    await until(replaced, lambda: "OPA was not started again")
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
            os.kill(behind.pids("opa_started")[-1], signal.SIGKILL)
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
    await shared.noted("heartbeat_taken")
    assert "heartbeat_problem" not in await shared.behind.gateway.readiness()


async def test_a_gateway_that_starts_while_its_hub_is_down_uses_the_kept_bundle_until_it_is_stale(
    tmp_path: Path, shared: Stage
) -> None:
    async with stub_hub() as hub:
        server, policy = shared.behind.server, shared.policy
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
            await unready(late, "fresh_policy", "see whether its hub can be reached")
            await counted(late, "stale")
            assert await late.metric('mcp_admission_policy_failures_total{code="policy_stale"}') > 0
            await hub.up()
            await hub_holds_shortly(late)


async def hub_holds_shortly(stage: Stage) -> None:
    """A hub that is there again confirms what is enforced, and calls pass."""
    newer = stage.policy.bundle(8)
    stage.hub.publish(newer.content)
    await stage.calls()


async def test_a_kept_bundle_that_was_changed_on_disk_decides_nothing(tmp_path: Path, shared: Stage) -> None:
    async with stub_hub() as hub:
        policy = shared.policy
        hub.publish(policy.bundle(7).content)
        async with followed(tmp_path, [hub], policy, shared.behind.server) as first:
            await first.enforced(policy.bundle(7).revision)
        await hub.down()
        (tmp_path / "state" / "bundles" / "policy.tar.gz").write_bytes(manifest_changed(policy))
        async with followed(tmp_path, [hub], policy, shared.behind.server, ready=False) as again:
            await again.noted("rejected", code="bundle_signature_invalid")
            assert (await again.behind.line.called()).reason == "policy_unavailable"
            assert "no bundle" in (await again.behind.gateway.readiness())["missing"]["policy"]


async def test_a_lower_number_than_was_enforced_before_is_refused_also_after_a_restart(
    tmp_path: Path, shared: Stage
) -> None:
    async with stub_hub() as hub:
        policy = shared.policy
        hub.publish(policy.bundle(7).content)
        async with followed(tmp_path, [hub], policy, shared.behind.server) as first:
            await first.enforced(policy.bundle(7).revision)
        for name in ("policy.tar.gz", "policy.json"):
            (tmp_path / "state" / "bundles" / name).unlink()
        hub.publish(policy.bundle(6).content)
        async with followed(tmp_path, [hub], policy, shared.behind.server, ready=False) as again:
            await again.noted("rejected", code="policy_regressed")
            assert (await again.behind.line.called()).reason == "policy_unavailable"
            hub.publish(policy.bundle(8).content)
            await again.enforced(policy.bundle(8).revision)


async def test_the_second_hub_is_followed_while_the_first_is_down_silent_or_bad(tmp_path: Path, shared: Stage) -> None:
    async with stub_hub() as first, stub_hub() as second:
        policy = shared.policy
        await first.down()
        second.publish(policy.bundle(7).content)
        async with followed(tmp_path, [first, second], policy, shared.behind.server) as stage:
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
    tmp_path: Path, shared: Stage
) -> None:
    new, policy = ephemeral_key(), shared.policy
    (tmp_path / "new.pem").write_text(new.public_pem)
    (tmp_path / "key.pem").write_text(KEY.public_pem)
    keys = [{"file": str(tmp_path / name)} for name in ("key.pem", "new.pem")]
    async with stub_hub() as hub:
        hub.publish(policy.bundle(7).content)
        async with followed(tmp_path, [hub], policy, shared.behind.server, bundle={"keys": keys}) as stage:
            await stage.enforced(policy.bundle(7).revision)
            hub.publish(policy.bundle(8, key=new).content)
            await stage.enforced(policy.bundle(8).revision)
            (tmp_path / "key.pem").unlink()
            hub.publish(policy.bundle(9).content)
            await stage.noted("rejected", code="bundle_signature_invalid")
            hub.publish(policy.bundle(10, key=new).content)
            await stage.enforced(policy.bundle(10).revision)


async def test_a_policy_whose_time_ends_while_it_is_in_force_refuses_and_a_newer_one_is_taken(
    tmp_path: Path, shared: Stage
) -> None:
    async with stub_hub() as hub:
        policy = shared.policy
        end = time.time() + 15
        hub.publish(policy.bundle(7, not_after=rfc3339(end)).content)
        async with followed(tmp_path, [hub], policy, shared.behind.server) as stage:
            await stage.calls()
            await stage.noted("expires_soon")
            assert "policy_end" in await stage.behind.gateway.readiness()
            assert await stage.metric("mcp_admission_policy_not_after_seconds") == int(end)
            await stage.calls("policy_expired")
            await stage.noted("expired", code="policy_expired")
            await unready(stage, "decision (policy_expired", "publish it anew, or a newer one")
            await counted(stage, "expired")
            assert await stage.metric('mcp_admission_policy_failures_total{code="policy_expired"}') > 0
            hub.publish(policy.bundle(8).content)
            await stage.calls()


async def test_grace_lets_a_policy_decide_beyond_its_end(tmp_path: Path, shared: Stage) -> None:
    async with stub_hub() as hub:
        policy = shared.policy
        hub.publish(policy.bundle(7, not_after=PAST).content)
        bundle = {"not_after_grace_s": 7200}
        async with followed(tmp_path, [hub], policy, shared.behind.server, bundle=bundle) as stage:
            await stage.enforced(policy.bundle(7).revision)
            await stage.calls()


async def test_a_key_that_opa_could_not_verify_with_is_refused_at_the_start_in_words(
    tmp_path: Path, shared: Stage
) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - this test alone makes such a key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above

    pem = Ed25519PrivateKey.generate().public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "ed.pem").write_bytes(pem.public_bytes(serialization.Encoding.PEM, form))
    keys = {"keys": [{"file": str(tmp_path / "ed.pem")}]}
    with pytest.raises(AssertionError, match="it knows no EdDSA"):
        async with followed(tmp_path, [shared.hub], shared.policy, shared.behind.server, bundle=keys):
            pass
