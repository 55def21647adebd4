"""Filters of clients that listen: no name that policy hides reaches the server."""

import asyncio
from typing import Any

import orjson
import pytest

from gateway.admission.decision import ListingVerdict, PolicyFailure
from gateway.admission.policy_input import PolicyInput
from tests.fakes import FakeReply, World, deny
from tests.unit.server.client import Browser, task_text

DONE = b'data: {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete"}}\n\n'


def listening(world: World) -> list[dict[str, Any]]:
    """Return the filters that reached the server."""
    sent = world.upstream.messages
    return [message["params"]["notifications"] for message in sent if message["method"] == "subscriptions/listen"]


async def listen(world: World, **wanted: Any) -> Any:
    got = await Browser(world).modern("subscriptions/listen", {"notifications": wanted})
    return got if got.headers["content-type"] == "text/event-stream" else got.json


def world_of(*hidden: str) -> World:
    world = World(upstream=lambda _: FakeReply(DONE, media="sse"))
    world.policy.hidden = set(hidden)
    return world


async def test_a_filter_is_narrowed_to_what_policy_lists_and_keeps_its_order() -> None:
    world = world_of("file:///b", "t1")
    uris = ["file:///c", "file:///b", "file:///a"]
    tasks = [task_text(world, "t1"), task_text(world, "t2")]
    await listen(world, toolsListChanged=True, resourceSubscriptions=uris, taskIds=tasks)
    assert listening(world) == [
        {"toolsListChanged": True, "resourceSubscriptions": ["file:///c", "file:///a"], "taskIds": ["t2"]}
    ]
    items = [(item.message.method, item.target.uri or item.target.name) for item in world.policy.listings[0].items]
    assert items == [("resources/read", uri) for uri in uris]


async def test_policy_is_asked_about_the_narrowed_message() -> None:
    world = world_of("file:///b")
    await listen(world, resourceSubscriptions=["file:///b"])
    asked = next(q for q in world.policy.questions if q.message.method == "subscriptions/listen")
    assert asked.arguments == {"notifications": {"resourceSubscriptions": []}}


async def test_a_filter_of_listed_resources_travels_as_it_came() -> None:
    world = world_of()
    await listen(world, resourceSubscriptions=["file:///a"])
    body = world.upstream.forwards[-1].permit.outbound.body
    assert orjson.loads(body)["params"]["notifications"] == {"resourceSubscriptions": ["file:///a"]}


async def test_a_uri_that_could_not_be_read_cannot_be_listened_to() -> None:
    world = world_of()
    await listen(world, resourceSubscriptions=["file:///a/../b", "", "file:///a"])
    assert listening(world) == [{"resourceSubscriptions": ["file:///a"]}]


async def test_a_long_filter_lets_other_exchanges_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.pipeline.loop_turns.SLICE_S", 0.0)
    world = world_of()
    names = [f"file:///{number}" for number in range(100)]
    listened = asyncio.create_task(listen(world, resourceSubscriptions=names))
    turns = 0
    while not listened.done():
        turns += 1
        await asyncio.sleep(0)  # noqa: TID251 - one turn of the event loop
    assert turns > len(names)
    assert listening(world) == [{"resourceSubscriptions": names}]


@pytest.mark.parametrize("names", ["file:///a", {"0": "file:///a"}, [1], None, ["file:///a"] * 1001])
async def test_a_filter_that_cannot_be_judged_does_not_pass(names: object) -> None:
    world = world_of()
    got = await listen(world, resourceSubscriptions=names)
    assert got["error"]["code"] == -32602
    assert listening(world) == []


async def test_a_policy_that_cannot_be_asked_about_the_filter_refuses_the_stream() -> None:
    class Down(World):
        async def listing(self, question: PolicyInput) -> ListingVerdict | PolicyFailure:
            del question
            return PolicyFailure(code="policy_unavailable", detail="down")

    world = Down(upstream=lambda _: FakeReply(DONE, media="sse"))
    world.policy.listing = world.listing
    got = await listen(world, resourceSubscriptions=["file:///a"])
    assert got["error"]["code"] == 50301
    assert listening(world) == []


async def test_resources_that_were_not_seen_yet_are_listed_first() -> None:
    def upstream(message: dict[str, Any]) -> FakeReply:
        if message["method"] == "subscriptions/listen":
            return FakeReply(DONE, media="sse")
        return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"resources": []}}))

    world = World(upstream=upstream, blank=True)
    await listen(world, resourceSubscriptions=["file:///a"])
    assert world.upstream.messages[0]["method"] == "resources/list"
    assert world.policy.listings[-1].items[0].definition is not None


async def test_any_number_of_unseen_names_costs_one_list_request() -> None:
    world = World(lambda _: deny(), blank=True)
    await listen(world, resourceSubscriptions=[f"file:///{number}" for number in range(100)])
    assert [record.method for record in world.journal.records] == [
        "resources/list",
        "resources/templates/list",
        "subscriptions/listen",
    ]
