"""Changes in the hub's directory by other processes: served if an upload would be accepted, otherwise logged."""

import asyncio
import time

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.signing import ephemeral_key
from gateway.hub.artifact_store import ArtifactStore
from gateway.hub.channel_pointer import Pointer
from gateway.hub.promotion import MoveRequest
from tests.hubs import bundle
from tests.unit.hub.conftest import Inside


def put(inside: Inside, content: bytes, expected: str | None) -> Pointer:
    """Publish to the directory, as a command on the same machine does."""
    store = ArtifactStore(inside.ground.directory)
    artifact = read_artifact(content)
    assert isinstance(artifact, Artifact)
    store.keep(artifact)
    wanted = MoveRequest(
        channel="production",
        digest=artifact.digest,
        expected=expected,
        by="root",
        because="the network is down",
        unix_ns=time.time_ns(),
    )
    pointer = store.move(wanted)
    assert isinstance(pointer, Pointer)
    return pointer


async def test_a_bundle_in_the_directory_is_served_to_long_polls_and_can_be_succeeded(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("first", 1))
    asked = asyncio.create_task(inside.poll(etag=f'"{first["digest"]}"', wait=60))
    while not inside.hub.guard.counts.waiting:
        await asyncio.sleep(0)  # noqa: TID251 - until it is held
    second = put(inside, inside.bundle("second", 2), first["digest"])
    await inside.hub.publishing.looking.look()
    assert (await asyncio.wait_for(asked, 30)).headers["etag"] == f'"{second.digest}"'
    await inside.publish(inside.bundle("third", 3), second.digest)


async def test_an_unsigned_bundle_is_not_served_and_logged_once(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("first", 1))
    put(inside, bundle("planted", ephemeral_key(), 2), first["digest"])
    for _ in range(3):
        await inside.hub.publishing.looking.look()
    assert (await inside.poll()).headers["etag"] == f'"{first["digest"]}"'
    (told,) = inside.log.named("move_refused")
    assert told["code"] == "bundle_signature_invalid"


async def test_an_unreadable_directory_is_logged_and_served_bundles_stay(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("first", 1))
    (inside.ground.directory / "channels" / "production.json").write_text("{")
    for _ in range(2):
        await inside.hub.publishing.looking.look()
    assert len(inside.log.named("directory_unreadable")) == 1
    assert (await inside.poll()).headers["etag"] == f'"{first["digest"]}"'
