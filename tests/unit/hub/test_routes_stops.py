"""Stops: made and lifted by responders only, journaled, served at once, and kept over a restart."""

import asyncio
import json
import time
from typing import Any

import pytest

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.stop_file import ActiveStops
from tests.hubs import ground
from tests.unit.hub.conftest import Inside

BOT = {"kind": "agent", "name": "bot", "for_s": 3600, "because": "It mails strangers"}


async def document(inside: Inside) -> tuple[dict[str, Any], int]:
    artifact = read_artifact((await inside.poll("emergency")).content)
    assert isinstance(artifact, Artifact)
    said: dict[str, Any] = json.loads(artifact.files["data.json"])["emergency"]
    for kind in ("agent", "principal", "server", "target"):
        assert said[kind].pop("") == [], "policy sees by it that the kind is there"
    return said, artifact.manifest.metadata.seq


async def test_a_stop_is_in_the_bundle_in_the_journal_and_in_the_list(inside: Inside) -> None:
    _, before = await document(inside)
    made = await inside.call("responder", "POST", "/v1/stops", json=BOT)
    assert made.status_code == 201
    stop = made.json()
    assert (stop["by"], stop["because"]) == ("the-responder", BOT["because"])
    said, seq = await document(inside)
    assert said["agent"]["bot"] == [stop]
    assert seq > before
    assert (await inside.call("reader", "GET", "/v1/stops")).json()["stops"] == [stop]
    (line,) = (inside.ground.directory / "stops.jsonl").read_text().splitlines()
    assert json.loads(line)["action"] == "stop"
    assert json.loads(line)["stop"] == stop


async def test_long_polls_are_answered_at_once(inside: Inside) -> None:
    etag = (await inside.poll("emergency")).headers["etag"]
    asked = asyncio.create_task(inside.poll("emergency", etag=etag, wait=60))
    while not inside.hub.guard.counts.waiting:
        await asyncio.sleep(0)  # noqa: TID251 - until it is held
    await inside.call("responder", "POST", "/v1/stops", json=BOT)
    answer = await asyncio.wait_for(asked, 30)
    assert answer.status_code == 200
    assert answer.headers["etag"] != etag


async def test_a_lifted_stop_is_removed_and_journaled_with_author_and_reason(inside: Inside) -> None:
    stop = (await inside.call("responder", "POST", "/v1/stops", json=BOT)).json()
    lifted = await inside.call("responder", "DELETE", f"/v1/stops/{stop['id']}", json={"because": "Mended"})
    assert lifted.status_code == 200
    assert (await document(inside))[0]["agent"] == {}
    last = json.loads((inside.ground.directory / "stops.jsonl").read_text().splitlines()[-1])
    assert (last["action"], last["by"], last["because"]) == ("lift", "the-responder", "Mended")
    again = await inside.call("responder", "DELETE", f"/v1/stops/{stop['id']}", json={"because": "Mended"})
    assert again.status_code == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"for_s": 86_401},
        {"for_s": 0},
        {"for_s": -5},
        {"because": ""},
        {"because": "  "},
        {"kind": "world"},
        {"name": "no name"},
        {"kind": "target", "name": "no-server"},
        {"more": 1},
        {"also": {"agent": "other"}},
        {"also": {"weather": "rain"}},
        {"also": {"action": "deletes"}},
    ],
)
async def test_a_stop_that_may_not_be_is_refused_and_nothing_is_written(
    inside: Inside, changed: dict[str, Any]
) -> None:
    before = await document(inside)
    assert (await inside.call("responder", "POST", "/v1/stops", json=BOT | changed)).status_code == 400
    assert await document(inside) == before
    assert not (inside.ground.directory / "stops.jsonl").exists()


async def test_stops_outlive_a_restart_under_a_higher_number(inside: Inside) -> None:
    stop = (await inside.call("responder", "POST", "/v1/stops", json=BOT)).json()
    _, seq = await document(inside)
    again = Inside(inside.ground)
    async with again.client:
        said, after = await document(again)
        assert said["agent"]["bot"] == [stop]
        assert after > seq
        assert after >= int(time.time() * 1000) - 60_000


async def test_many_at_once_are_all_kept_and_the_last_bundle_has_them_all(inside: Inside) -> None:
    wanted = [BOT | {"name": f"bot-{number}"} for number in range(20)]
    made = await asyncio.gather(*(inside.call("responder", "POST", "/v1/stops", json=each) for each in wanted))
    assert {each.status_code for each in made} == {201}
    assert len((await document(inside))[0]["agent"]) == 20
    assert len((inside.ground.directory / "stops.jsonl").read_text().splitlines()) == 20


async def test_a_full_disk_refuses_a_stop_and_reports_it(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await document(inside)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.artifact.stop_file.os.fsync", full)
    refused = await inside.call("responder", "POST", "/v1/stops", json=BOT)
    assert (refused.status_code, refused.json()["remedy"]) == (507, "Free space on the hub's disk.")
    monkeypatch.undo()
    assert await document(inside) == before
    assert not (inside.ground.directory / "stops.jsonl").exists()


async def test_stops_without_an_emergency_key_are_refused_with_a_remedy(inside: Inside) -> None:
    again = Inside(ground(inside.ground.root, emergency_key=None))
    async with again.client:
        refused = await again.call("responder", "POST", "/v1/stops", json=BOT)
        assert (refused.status_code, refused.json()["code"]) == (501, "no_emergency_key")
        assert "hub key" in refused.json()["remedy"]
        assert (await again.poll("emergency")).status_code == 404


async def test_an_older_document_never_replaces_a_newer_one(inside: Inside) -> None:
    emergency = inside.hub.emergency
    assert emergency is not None
    older = ActiveStops(seq=emergency.standing.seq)
    await inside.call("responder", "POST", "/v1/stops", json=BOT)
    newer = emergency.offering.offer
    emergency.offer(older)
    assert emergency.offering.offer is newer
    assert (await document(inside))[0]["agent"].keys() == {"bot"}
