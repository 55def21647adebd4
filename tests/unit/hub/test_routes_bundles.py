"""Long polling by OPA's protocol, by channel and label, and the emergency bundle."""

import asyncio

import httpx
import pytest

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.signature_checks import EMERGENCY, VerifyingKey, unsigned_by
from gateway.hub.bearer_tokens import TokenHolder
from gateway.identity.tokens import digest
from tests.unit.hub.conftest import Inside

FIRST_RING = [{"channel": "canary", "instead_of": "production", "labels": {"ring": "first"}}]


async def held(inside: Inside, *questions: asyncio.Task[httpx.Response]) -> None:
    """Wait until this many long polls are held."""
    async with asyncio.timeout(30):
        while inside.hub.guard.counts.waiting < len(questions):
            await asyncio.sleep(0)  # noqa: TID251 - until they are held


async def test_the_current_bundle_is_held_until_there_is_another(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    asked = asyncio.create_task(inside.poll(etag=f'"{first["digest"]}"', wait=60))
    await held(inside, asked)
    second = await inside.publish(inside.bundle("y", 2), first["digest"])
    answer = await asyncio.wait_for(asked, 30)
    assert (answer.status_code, answer.headers["etag"]) == (200, f'"{second["digest"]}"')
    assert answer.headers["content-type"] == "application/vnd.openpolicyagent.bundles"


async def test_nothing_new_is_304_only_after_the_wait(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await inside.poll(etag=f'"{first["digest"]}"', wait=1)).status_code == 304
    assert loop.time() - began >= 0.95


async def test_a_stale_or_absent_etag_is_answered_at_once(inside: Inside) -> None:
    await inside.publish(inside.bundle("x", 1))
    for etag in ("", '"else"'):
        assert (await asyncio.wait_for(inside.poll(etag=etag, wait=300), 30)).status_code == 200


async def test_a_channel_that_points_to_nothing_is_absent(inside: Inside) -> None:
    answer = await inside.poll("nothing", wait=60)
    assert (answer.status_code, "Publish a bundle" in answer.json()["remedy"]) == (404, True)


async def test_labels_select_another_channel_only_if_all_match(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    second = await inside.publish(inside.bundle("y", 2), channel="canary")
    assigned = await inside.call("publisher", "PUT", "/v1/assignments", json=FIRST_RING)
    assert assigned.status_code == 200
    for query, wanted in (
        ("?label=ring=first&label=site=a", second),
        ("?label=ring=second", first),
        ("", first),
        ("?label=ring", first),
    ):
        assert (await inside.poll(query=query)).headers["etag"] == f'"{wanted["digest"]}"'
    assert (await inside.call("reader", "GET", "/v1/assignments")).json() == FIRST_RING


async def test_an_assignment_takes_effect_at_once_for_long_polls(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    second = await inside.publish(inside.bundle("y", 2), channel="canary")
    asked = asyncio.create_task(inside.poll(etag=f'"{first["digest"]}"', wait=60, query="?label=ring=first"))
    await held(inside, asked)
    await inside.call("publisher", "PUT", "/v1/assignments", json=FIRST_RING)
    assert (await asyncio.wait_for(asked, 30)).headers["etag"] == f'"{second["digest"]}"'


async def test_an_assignment_to_an_empty_channel_takes_effect_with_its_first_bundle(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    await inside.call("publisher", "PUT", "/v1/assignments", json=FIRST_RING)
    etag = (await inside.poll(query="?label=ring=first")).headers["etag"]
    assert etag == f'"{first["digest"]}"'
    asked = asyncio.create_task(inside.poll(etag=etag, wait=60, query="?label=ring=first"))
    await held(inside, asked)
    second = await inside.publish(inside.bundle("y", 2), channel="canary")
    assert (await asyncio.wait_for(asked, 30)).headers["etag"] == f'"{second["digest"]}"'


@pytest.mark.parametrize("labels", [{}, {"a" * 129: "b"}])
async def test_an_assignment_without_labels_or_with_long_ones_is_refused(
    inside: Inside, labels: dict[str, str]
) -> None:
    wanted = [{"channel": "canary", "instead_of": "production", "labels": labels}]
    assert (await inside.call("publisher", "PUT", "/v1/assignments", json=wanted)).status_code == 400


async def test_a_full_hub_refuses_long_polls_but_sends_new_bundles(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    inside.hub.polling._holding.most = 1
    asked = asyncio.create_task(inside.poll(etag=f'"{first["digest"]}"', wait=60))
    await held(inside, asked)
    assert (await inside.poll(etag=f'"{first["digest"]}"', wait=60)).status_code == 503
    assert (await inside.poll(etag='"older"', wait=60)).status_code == 200
    inside.hub.channels.close()
    assert (await asyncio.wait_for(asked, 30)).status_code == 503


async def test_the_token_with_the_most_long_polls_gives_one_up(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    etag = f'"{first["digest"]}"'
    trust, inside.hub.polling._holding.most = inside.hub.guard.trust, 3
    trust.callers = [*trust.callers, TokenHolder(name="other", roles=("gateway",), sha256=digest("mcpa_other"))]
    greedy = [asyncio.create_task(inside.poll(etag=etag, wait=60)) for _ in range(3)]
    await held(inside, *greedy)
    headers = {"authorization": "Bearer mcpa_other", "if-none-match": etag, "prefer": "wait=60"}
    modest = asyncio.create_task(inside.call("", "GET", "/bundles/production.tar.gz", headers=headers))
    (done, _) = await asyncio.wait(greedy, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert [each.result().status_code for each in done] == [304], "as if its wait were over"
    assert (await inside.poll(etag=etag, wait=60)).status_code == 503, "it has its share"
    assert not modest.done()
    inside.hub.channels.close()
    answers = await asyncio.gather(modest, *greedy)
    assert sorted(each.status_code for each in answers) == [304, 503, 503, 503]
    assert inside.hub.guard.counts.waiting == 0


async def test_the_emergency_bundle_exists_from_the_start_signed_by_its_own_key(inside: Inside) -> None:
    answer = await inside.poll("emergency")
    artifact = read_artifact(answer.content)
    assert isinstance(artifact, Artifact)
    key, release = inside.ground.emergency, inside.ground.key
    assert unsigned_by(artifact, [VerifyingKey(keyid=key.keyid, pem=key.public_pem)], EMERGENCY) is None
    assert unsigned_by(artifact, [VerifyingKey(keyid=release.keyid, pem=release.public_pem)], EMERGENCY) is not None
    assert artifact.manifest.roots == ("emergency",)
