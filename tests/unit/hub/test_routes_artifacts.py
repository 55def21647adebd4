"""Accepted uploads, and each kind of rejected upload with an unchanged store."""

import asyncio
import gzip
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.artifact.artifact import MOST_BYTES
from gateway.artifact.manifest import BundleMetadata, rfc3339
from gateway.artifact.pack import archived, canonical, pack
from gateway.artifact.signature_checks import EMERGENCY
from gateway.artifact.signing import ephemeral_key
from tests.hubs import bundle
from tests.unit.hub.conftest import Inside


def tree(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def delta(inside: Inside) -> bytes:
    return archived({"patch.json": b'{"data":[]}', ".manifest": b"{}"}, inside.ground.key)


def changed(content: bytes) -> bytes:
    plain = gzip.decompress(content)
    assert b"first" in plain
    return gzip.compress(plain.replace(b"first", b"forst"))


def emergency(inside: Inside) -> bytes:
    files = {"data.json": canonical({"emergency": {}})}
    return pack(files, BundleMetadata(environment="test", seq=9), key=inside.ground.key, scope=EMERGENCY).content


REFUSED: dict[str, Callable[[Inside], bytes]] = {
    "bundle_unsigned": lambda _: bundle("x", None, 6),
    "bundle_signature_invalid": lambda _: bundle("x", ephemeral_key(), 6),
    "bundle_unreadable, changed": lambda inside: changed(inside.bundle("first", 6)),
    "bundle_signature_invalid, for another use": emergency,
    "bundle_unreadable": lambda inside: inside.bundle("x", 6)[:-20],
    "bundle_unreadable, no bundle": lambda _: b"hello",
    "bundle_unreadable, empty": lambda _: b"",
    "bundle_delta": delta,
    "bundle_too_large": lambda _: gzip.compress(bytes(3 << 20)),
    "policy_expired": lambda inside: inside.bundle("x", 6, not_after=rfc3339(time.time() - 5)),
    "policy_regressed": lambda inside: inside.bundle("x", 4),
}


async def test_a_signed_bundle_is_taken_pointed_to_and_served(inside: Inside) -> None:
    content = inside.bundle("x", 1)
    uploaded = await inside.upload(content)
    digest = hashlib.sha256(content).hexdigest()
    assert uploaded.status_code == 201
    assert uploaded.json() == {"digest": digest, "revision": uploaded.json()["revision"], "seq": 1}
    assert (await inside.poll()).status_code == 404
    pointer = (await inside.point(digest, None)).json()
    assert (pointer["digest"], pointer["by"], pointer["because"]) == (digest, "the-publisher", "a test")
    served = await inside.poll()
    assert (served.content, served.headers["etag"]) == (content, f'"{digest}"')
    assert (await inside.call("reader", "GET", f"/v1/artefacts/{digest}")).content == content
    shown = (await inside.call("reader", "GET", "/v1/channels")).json()
    assert shown["channels"] == [pointer]
    assert shown["highest"]["test"]["seq"] == 1
    (move,) = (await inside.call("reader", "GET", "/v1/history?channel=production&limit=5")).json()
    assert (move["from"], move["to"]["digest"], move["by"]) == (None, digest, "the-publisher")


@pytest.mark.parametrize("case", REFUSED)
async def test_a_bundle_that_no_gateway_would_take_is_refused_and_changes_nothing(
    inside: Inside, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.artifact.artifact.MOST_UNPACKED", 2 << 20)
    first = await inside.publish(inside.bundle("x", 5))
    before = tree(inside.ground.directory)
    refused = await inside.upload(REFUSED[case](inside))
    code = case.partition(",")[0]
    assert refused.status_code == 422
    assert refused.json()["code"] == code
    assert refused.json()["error"]
    assert refused.json()["remedy"]
    assert tree(inside.ground.directory) == before
    assert (await inside.poll()).headers["etag"] == f'"{first["digest"]}"'
    text = (await inside.call("", "GET", "/metrics")).text
    assert f'mcp_admission_hub_uploads_refused_total{{code="{code}"}} 1.0' in text


async def test_a_body_beyond_all_bounds_is_not_read_to_its_end(inside: Inside) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 20
            yield bytes(1 << 20)
            assert sent < MOST_BYTES * 2

    refused = await inside.call("publisher", "POST", "/v1/artefacts", content=endless())
    assert (refused.status_code, refused.json()["code"]) == (413, "bundle_too_large")
    assert not list((inside.ground.directory / "artefacts").iterdir())


async def test_a_key_that_is_no_longer_valid_is_seen_when_the_pointer_moves(inside: Inside) -> None:
    uploaded = (await inside.upload(inside.bundle("x", 1))).json()
    inside.hub.guard.trust.keys = ()
    refused = await inside.point(uploaded["digest"], None)
    assert (refused.status_code, refused.json()["code"]) == (409, "bundle_signature_invalid")


async def test_two_keys_may_be_valid_at_once(inside: Inside) -> None:
    other = ephemeral_key()
    known = inside.hub.guard.trust.keys
    inside.hub.guard.trust.keys = [*known, type(known[0])(keyid=other.keyid, pem=other.public_pem)]
    first = await inside.publish(inside.bundle("x", 1))
    await inside.publish(bundle("y", other, 2), first["digest"])


async def test_a_concurrent_move_is_refused_with_the_current_revision(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    await inside.publish(inside.bundle("y", 2), first["digest"])
    third = (await inside.upload(inside.bundle("z", 3))).json()
    refused = await inside.point(third["digest"], first["digest"])
    assert (refused.status_code, refused.json()["code"]) == (409, "pointer_moved")
    assert "the pointer has changed in the meantime" in refused.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"digest":"x","because":"y","expected":null}',
        b'{"digest":"' + b"0" * 64 + b'","because":" ","expected":null}',
        b'{"digest":"' + b"0" * 64 + b'","because":"y"}',
        b'{"digest":"' + b"0" * 64 + b'","because":"y","expected":null,"force":true}',
    ],
)
async def test_an_incomplete_move_is_refused(inside: Inside, body: bytes) -> None:
    refused = await inside.call("publisher", "PUT", "/v1/channels/production", content=body)
    assert refused.status_code == 400
    assert "the body is malformed" in refused.json()["error"]


async def test_a_missing_artifact_is_explained(inside: Inside) -> None:
    assert (await inside.point("0" * 64, None)).status_code == 404
    assert (await inside.point("0" * 64, None, "emergency")).status_code in {400, 404}
    assert (await inside.call("reader", "GET", f"/v1/artefacts/{'0' * 64}")).status_code == 404
    assert (await inside.call("reader", "GET", "/v1/artefacts/..%2Fmoves")).status_code == 404
    assert (await inside.call("reader", "GET", "/v1/nothing")).json()["error"] == "there is nothing at this path"
    assert (await inside.call("reader", "PATCH", "/v1/channels")).status_code == 405
    for limit in ("0", "x", "1001", "-1", "9" * 5000):
        assert (await inside.call("reader", "GET", f"/v1/history?limit={limit}")).status_code == 400


async def test_a_full_disk_is_reported_and_the_old_pointer_is_served(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    taken = (await inside.upload(inside.bundle("y", 2))).json()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.durable_files.os.fsync", full)
    for refused in (await inside.upload(inside.bundle("z", 3)), await inside.point(taken["digest"], first["digest"])):
        assert refused.status_code == 507
        assert refused.json()["remedy"] == "Free space on the hub's disk."
    assert (await inside.poll()).headers["etag"] == f'"{first["digest"]}"'
    assert "notes" in (await inside.call("", "GET", "/readyz")).json()
    assert "mcp_admission_hub_storage_failing 1.0" in (await inside.call("", "GET", "/metrics")).text
    monkeypatch.undo()
    assert (await inside.point(taken["digest"], first["digest"])).status_code == 200
    assert "notes" not in (await inside.call("", "GET", "/readyz")).json()


async def test_after_a_restart_the_same_is_served(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    again = Inside(inside.ground)
    async with again.client:
        assert (await again.poll()).headers["etag"] == f'"{first["digest"]}"'
        assert (await again.call("reader", "GET", "/v1/channels")).json()["channels"] == [first]


async def test_a_body_that_does_not_arrive_is_given_up(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.hub.endpoint.READING_S", 0.05)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    refused = await inside.call("publisher", "PUT", "/v1/channels/production", content=stuck())
    assert refused.status_code == 408
