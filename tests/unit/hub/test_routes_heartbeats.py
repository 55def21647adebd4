"""Heartbeats of gateways, and the rollouts computed from them."""

from pathlib import Path

import pytest

from gateway.hub import rollout as rollouts
from gateway.hub.fleet import LIVE_S, Fleet, ReceivedHeartbeat
from gateway.hub.rollout import EnforcementClaim, RolloutQuery, reached, rollout
from tests.hubs import changed, ground
from tests.unit.hub.conftest import Inside

ASKED = RolloutQuery(revision="r2", channel="production", in_force="r2", moved=100.0, settled=True)


def seen(gateway: str, revision: str, *, since: float = 101.0, problem: str = "") -> EnforcementClaim:
    return EnforcementClaim(gateway=gateway, enforces=revision, since=since, problem=problem, at=103.0)


def test_a_revision_is_complete_when_every_live_gateway_says_that_it_enforces_it() -> None:
    found = rollout(ASKED, [seen("b", "r2", since=100.25), seen("a", "r2")], 104.0)
    assert [(each.gateway, each.after_ms) for each in found.confirmed] == [("a", 1000), ("b", 250)]
    assert found.complete


def test_a_gateway_with_another_revision_is_pending_with_its_problem() -> None:
    found = rollout(ASKED, [seen("a", "r2"), seen("b", "r1", problem="policy_expired: its time is over")], 104.0)
    (pending,) = found.pending
    assert (pending.gateway, pending.enforces, pending.seen_s_ago) == ("b", "r1", 1.0)
    assert pending.problem.startswith("policy_expired")
    assert not found.complete


@pytest.mark.parametrize("changed", [{"settled": False}, {"in_force": "r3"}])
def test_after_a_restart_or_a_replacement_nothing_is_complete(changed: dict[str, object]) -> None:
    asked = RolloutQuery(**{**{name: getattr(ASKED, name) for name in ASKED.__struct_fields__}, **changed})  # pyright: ignore[reportArgumentType]
    assert not rollout(asked, [seen("a", "r2")], 104.0).complete


def test_a_gateway_that_was_not_heard_of_for_long_is_not_live() -> None:
    fleet = Fleet()
    fleet.hear(ReceivedHeartbeat(gateway="a", channel="production", revision="r1"), 100.0)
    assert [each.beat.gateway for each in fleet.live(100.0 + LIVE_S)] == ["a"]
    assert list(fleet.live(100.1 + LIVE_S)) == []


def test_a_revision_counts_as_enforced_since_its_first_heartbeat() -> None:
    fleet = Fleet()
    for at, revision in ((1.0, "r1"), (2.0, "r2"), (3.0, "r2")):
        fleet.hear(ReceivedHeartbeat(gateway="a", channel="production", revision=revision), at)
    assert fleet.all["a"].since == 2.0


def test_the_fleet_is_bounded_and_drops_silent_gateways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.hub.fleet.MOST", 2)
    fleet = Fleet()
    for name in "ab":
        assert fleet.hear(ReceivedHeartbeat(gateway=name, channel="x"), 0.0)
    assert not fleet.hear(ReceivedHeartbeat(gateway="c", channel="x"), 1.0)
    assert fleet.hear(ReceivedHeartbeat(gateway="a", channel="x"), 1.0)
    assert fleet.hear(ReceivedHeartbeat(gateway="c", channel="x"), 3601.0)
    assert set(fleet.all) == {"c"}, "a gateway that is not live takes no place"


def test_the_token_with_the_most_gateways_makes_room_in_a_full_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.hub.fleet.MOST", 4)
    fleet = Fleet()
    said = [ReceivedHeartbeat(gateway=name, channel="x") for name in ("a1", "a2", "a3", "a4", "b1", "b2", "b3")]
    assert [fleet.hear(beat, 0.0, beat.gateway[0]) for beat in said] == [True] * 6 + [False]
    assert set(fleet.all) == {"a1", "a2", "b1", "b2"}, "the newest of the greedy go first"
    assert not fleet.hear(ReceivedHeartbeat(gateway="a5", channel="x"), 0.0, "a")


async def test_a_forbidden_name_is_refused_logged_counted_and_shown_with_the_rollout(
    tmp_path: Path,
) -> None:
    made = ground(tmp_path)
    changed(made, "the-gateway", gateways=["eu-*"])
    inside = Inside(made)
    async with inside.client:
        revision = (await inside.publish(inside.bundle("x", 1)))["revision"]
        refused = await inside.beat("us-1", revision)
        assert (refused.status_code, refused.json()["code"]) == (403, "gateway_misnamed")
        assert "'us-1'" in refused.json()["error"]
        assert "`gateways` of the token `the-gateway`" in refused.json()["remedy"]
        assert (await inside.beat("eu-1", revision)).status_code == 204
        found = (await inside.call("reader", "GET", f"/v1/rollouts/{revision}")).json()
        text = (await inside.call("", "GET", "/metrics")).text
    assert [each["gateway"] for each in found["confirmed"]] == ["eu-1"]
    assert found["unheard"] == [{"gateway": "us-1", "token": "the-gateway"}]
    assert inside.log.named("heartbeat_refused") == [{"by": "the-gateway", "gateway": "us-1", "count": 1}]
    assert 'mcp_admission_hub_calls_refused_total{reason="misnamed"} 1.0' in text


async def test_a_rollout_is_shown_for_the_gateways_of_its_channel(inside: Inside) -> None:
    pointer = await inside.publish(inside.bundle("x", 1))
    revision = pointer["revision"]
    assert (await inside.beat("one", "")).status_code == 204
    await inside.beat("two", revision)
    await inside.beat("elsewhere", "r9", channel="staging")
    found = (await inside.call("reader", "GET", f"/v1/rollouts/{revision}")).json()
    assert [each["gateway"] for each in found["confirmed"]] == ["two"]
    assert [each["gateway"] for each in found["pending"]] == ["one"]
    assert not found["complete"]
    await inside.beat("one", revision)
    assert (await inside.call("reader", "GET", f"/v1/rollouts/{revision}")).json()["complete"]


async def test_gateways_that_are_assigned_to_a_canary_do_not_count_for_production(inside: Inside) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    second = await inside.publish(inside.bundle("y", 2), channel="canary")
    wanted = [{"channel": "canary", "instead_of": "production", "labels": {"ring": "first"}}]
    await inside.call("publisher", "PUT", "/v1/assignments", json=wanted)
    await inside.beat("everyone", first["revision"])
    await inside.beat("early", second["revision"], labels={"ring": "first"})
    for pointer, gateway in ((first, "everyone"), (second, "early")):
        found = (await inside.call("reader", "GET", f"/v1/rollouts/{pointer['revision']}")).json()
        assert [each["gateway"] for each in found["confirmed"]] == [gateway]
        assert found["complete"]


async def test_after_a_restart_the_gateways_have_the_time_to_speak(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = (await inside.publish(inside.bundle("x", 1)))["revision"]
    again = Inside(inside.ground)
    async with again.client:
        await again.beat("one", revision)
        found = (await again.call("reader", "GET", f"/v1/rollouts/{revision}")).json()
        assert (len(found["confirmed"]), found["complete"]) == (1, False)
        assert found["confirmed"][0]["after_ms"] is None
    assert rollouts.SETTLING_S == LIVE_S
    monkeypatch.setattr("gateway.hub.routes_heartbeats.SETTLING_S", 0)
    later = Inside(inside.ground)
    async with later.client:
        await later.beat("one", revision)
        assert (await later.call("reader", "GET", f"/v1/rollouts/{revision}")).json()["complete"]


async def test_a_revision_without_a_channel_has_no_rollout(inside: Inside) -> None:
    unknown = await inside.call("reader", "GET", "/v1/rollouts/test@0.1")
    assert (unknown.status_code, "`--channel`" in unknown.json()["remedy"]) == (404, True)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"gateway": "", "channel": "x"},
        {"gateway": "a" * 129, "channel": "x"},
        {"gateway": "a", "channel": "../x"},
        {"gateway": "a", "channel": "x", "problem": "p" * 5000},
        {"gateway": "a", "channel": "x", "labels": {str(n): "" for n in range(40)}},
    ],
)
async def test_a_heartbeat_is_bounded(inside: Inside, body: dict[str, object]) -> None:
    assert (await inside.call("gateway", "POST", "/v1/heartbeats", json=body)).status_code == 400
    assert (await inside.call("gateway", "POST", "/v1/heartbeats", content=bytes(70_000))).status_code == 413
    nested = b'{"gateway": "a", "channel": "x", "more": ' + b"[" * 10_000
    assert (await inside.call("gateway", "POST", "/v1/heartbeats", content=nested)).status_code == 400
    assert not inside.hub.fleet.all


async def test_stops_without_a_number_are_enforced_by_no_gateway(inside: Inside) -> None:
    await inside.beat("one", "r1", emergency="")
    found = (await inside.call("reader", "GET", "/v1/rollouts/emergency@nothing")).json()
    assert (found["confirmed"], found["complete"]) == ([], False)


async def test_the_rollout_of_a_stop_covers_gateways_of_all_channels(inside: Inside) -> None:
    wanted = {"kind": "agent", "name": "bot", "for_s": 60, "because": "x"}
    old = inside.hub.emergency.revision if inside.hub.emergency is not None else ""
    await inside.call("responder", "POST", "/v1/stops", json=wanted)
    revision = (await inside.call("responder", "GET", "/v1/stops")).json()["revision"]
    await inside.beat("one", "r1", emergency=revision)
    await inside.beat("two", "r1", emergency=old, channel="staging")
    found = (await inside.call("responder", "GET", f"/v1/rollouts/{revision}")).json()
    assert ([each["gateway"] for each in found["confirmed"]], found["complete"]) == (["one"], False)
    assert found["pending"][0]["enforces"] == old
    await inside.call("responder", "POST", "/v1/stops", json=wanted | {"name": "other"})
    later = (await inside.call("responder", "GET", "/v1/stops")).json()["revision"]
    await inside.beat("two", "r1", emergency=later, channel="staging")
    found = (await inside.call("responder", "GET", f"/v1/rollouts/{revision}")).json()
    assert found["complete"], "a later document has the earlier stops"
    assert not (await inside.call("responder", "GET", f"/v1/rollouts/{later}")).json()["complete"]


@pytest.mark.parametrize(
    ("found", "wanted", "is_there"),
    [
        ("emergency@a.2", "emergency@b.2", True),
        ("emergency@a.10", "emergency@b.9", True),
        ("emergency@a.1", "emergency@b.2", False),
        ("", "emergency@b.2", False),
        ("emergency@a.x", "emergency@b.2", False),
        ("emergency@a.1", "emergency@b.x", False),
        ("", "emergency@nothing", False),
        ("emergency@a.1", "emergency@b." + "9" * 5000, False),
    ],
)
def test_a_later_number_has_reached_an_earlier_one(found: str, wanted: str, *, is_there: bool) -> None:
    assert (reached(found, wanted) == wanted) == is_there
