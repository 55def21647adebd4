"""Reports of listed definitions that policy refuses because they changed, with their text."""

from typing import Any, cast

import orjson
import pytest

from gateway.admission.digests import define, grouped
from gateway.admission.refused_definition import RefusedDefinition
from gateway.definitions.presented_definition import PresentedDefinition
from tests.fakes import REVISION, FakePresented, FakeReply, World
from tests.unit.server.client import Browser

OPENING = (("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"))
TOOL: dict[str, Any] = {"name": "read", "description": "Read notes.", "inputSchema": {"type": "object"}}
NOTE: dict[str, Any] = {"uri": "file:///a", "name": "a", "description": "A note."}


def world_of(method: str, item: dict[str, Any], reply: FakeReply, *refused_by: str) -> World:
    """Return a world whose server presents one item, which policy hides for these requirements."""
    world = World(upstream=lambda _: reply)
    world.definitions.presented = cast("FakePresented", PresentedDefinition(method, item))
    world.policy.hidden = {str(item.get("uri") or item["name"])}
    world.policy.hides_for = [*refused_by]
    return world


def listed(item: dict[str, Any]) -> FakeReply:
    return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": [item]}}))


def refused(kind: str, item: dict[str, Any]) -> RefusedDefinition:
    definition = define(item)
    return RefusedDefinition(
        server="s",
        kind=kind,
        target=str(item.get("uri") or item["name"]),
        sha256=definition.sha256,
        revision=REVISION,
        digests=definition.parts,
        words=grouped(item),
    )


async def test_a_hidden_tool_is_reported_as_its_server_lists_it() -> None:
    world = world_of("tools/list", TOOL, listed(TOOL), "definition_is_unchanged")
    got = await Browser(world).legacy("tools/list", {})
    assert got.json["result"]["tools"] == []
    assert world.drifted == [refused("tool", TOOL)]


@pytest.mark.parametrize(
    "refused_by", [["rules_permit"], [], ["definition_is_unchanged", "target_is_listed"], ["target_is_listed"]]
)
async def test_a_tool_that_is_hidden_for_another_reason_is_not(refused_by: list[str]) -> None:
    world = world_of("tools/list", TOOL, listed(TOOL), *refused_by)
    await Browser(world).legacy("tools/list", {})
    assert world.drifted == []


async def test_a_hidden_resource_that_a_filter_names_is_reported() -> None:
    done = FakeReply(b'data: {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete"}}\n\n', media="sse")
    world = world_of("resources/list", NOTE, done, "definition_is_unchanged")
    await Browser(world).modern("subscriptions/listen", {"notifications": {"resourceSubscriptions": [NOTE["uri"]]}})
    assert world.drifted == [refused("resource", NOTE)]


async def test_a_hidden_resource_of_which_there_is_news_is_reported() -> None:
    update = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": NOTE["uri"]}}
    news = FakeReply(b"data: " + orjson.dumps(update) + b"\n\n", media="sse")
    world = world_of("resources/list", NOTE, news, "definition_is_unchanged")
    await Browser(world).send(b"", *OPENING, verb="GET")
    assert world.drifted == [refused("resource", NOTE)]
