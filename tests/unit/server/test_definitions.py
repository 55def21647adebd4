"""Definitions that the gateway learns from passing lists, and judgment by them in the meantime."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from gateway.admission.decision import PolicyFailure
from gateway.admission.digests import define
from gateway.pipeline.discovery_limits import DiscoveryLimits
from gateway.protocol.errors import DECISION_KEY
from tests.fakes import FakeReply, World, allow
from tests.unit.server.client import JSON, Browser
from tests.unit.server.pinned import POISONED, READ, cache, pinning, session


class Server:
    """Lists `tools`, in events that a client can resume, and answers calls."""

    def __init__(self) -> None:
        self.tools: list[dict[str, Any]] = [READ]
        self.listed = 0
        self.more: dict[str, Any] = {}

    def __call__(self, message: dict[str, Any]) -> FakeReply:
        if message.get("method") != "tools/list":
            return _result(message.get("id", 1), {"content": [{"type": "text", "text": "done"}]})
        self.listed += 1
        return _result(message["id"], {"tools": self.tools, **self.more}, event=f"e{self.listed}")


def _result(id: Any, result: dict[str, Any], *, event: str = "") -> FakeReply:  # noqa: A002 - JSON-RPC's word
    body = orjson.dumps({"jsonrpc": "2.0", "id": id, "result": result})
    if not event:
        return FakeReply(body)
    return FakeReply(f"id: {event}\ndata: ".encode() + body + b"\n\n", media="sse")


def facing(server: Any, *, required: bool = True, looks: DiscoveryLimits | None = None) -> tuple[World, Browser]:
    world = World(pinning(READ, required=required), server, definitions=cache(), looks=looks)
    return world, Browser(world)


def replaying(replayed: FakeReply, server: Server) -> Callable[[dict[str, Any]], FakeReply]:
    """Return a server that replays its earlier events for a GET."""
    return lambda message: server(message) if message else replayed


async def called(browser: Browser, *headers: tuple[str, str]) -> str:
    result = (await browser.legacy("tools/call", {"name": "read", "arguments": {}}, *headers)).json["result"]
    return str(result.get("_meta", {}).get(DECISION_KEY, {}).get("code") or result["content"][0]["text"])


async def test_a_replayed_list_is_judged_by_its_content_and_not_learned() -> None:
    server = Server()
    world, browser = facing(server)
    own = session(world)
    first = await browser.legacy("tools/list", None, own)
    event = next(line for line in first.body.decode().split("\n") if line.startswith("id: "))[4:]
    server.tools = [POISONED]
    await browser.legacy("tools/list", None, own)
    assert await called(browser, own) == "policy_denied"
    replayed = _result(1, {"tools": [READ]}, event="e1")
    world.upstream.answer = replaying(replayed, server)
    got = await browser.send(b"", *JSON, ("last-event-id", event), own, verb="GET")
    assert [tool["name"] for tool in got.events[0]["result"]["tools"]] == ["read"]
    (item,) = world.policy.listings[-1].items
    assert item.definition is not None
    assert item.definition.sha256 == define(READ).sha256, "the replayed list is judged by its own definitions"
    assert await called(browser, own) == "policy_denied"


async def test_a_poisoned_replay_is_drift_although_the_pinned_definition_is_known() -> None:
    server = Server()
    world, browser = facing(server)
    own = session(world)
    first = await browser.legacy("tools/list", None, own)
    event = next(line for line in first.body.decode().split("\n") if line.startswith("id: "))[4:]
    poisoned = _result(1, {"tools": [POISONED]}, event="e1")
    world.upstream.answer = replaying(poisoned, server)
    await browser.send(b"", *JSON, ("last-event-id", event), own, verb="GET")
    (item,) = world.policy.listings[-1].items
    assert item.definition is not None
    assert item.definition.sha256 == define(POISONED).sha256
    assert await called(browser, own) == "done"


async def test_a_clients_list_saves_the_gateway_a_look() -> None:
    server = Server()
    _, browser = facing(server)
    await browser.legacy("tools/list")
    assert await called(browser) == "done"
    assert server.listed == 1


async def test_a_page_of_a_clients_list_alone_saves_none() -> None:
    server = Server()
    server.more = {"nextCursor": "2"}
    _, browser = facing(server)
    await browser.legacy("tools/list")
    server.more = {}
    assert await called(browser) == "done"
    assert server.listed == 2


async def test_all_pages_of_a_clients_list_save_it() -> None:
    server = Server()
    server.more = {"nextCursor": "2"}
    _, browser = facing(server)
    await browser.legacy("tools/list")
    server.more, server.tools = {}, []
    await browser.legacy("tools/list", {"cursor": "2"})
    assert await called(browser) == "done"
    assert server.listed == 2


async def test_news_that_comes_while_policy_decides_makes_the_gateway_ask_again() -> None:
    server = Server()
    world, browser = facing(server)
    await browser.legacy("tools/list")
    decide, once = world.policy.answer, [True]

    def overtaken(question: Any) -> Any:
        if question.target.type == "tool" and once:
            once.clear()
            server.tools = [POISONED]
            world.pipeline.engine.parts.definitions.forget("s", "notifications/tools/list_changed")
        return decide(question)

    world.policy.answer = overtaken
    assert await called(browser) == "policy_denied"
    assert [message["method"] for message in world.upstream.messages].count("tools/call") == 0


async def test_news_at_each_decision_refuses_the_call_and_says_so() -> None:
    world, browser = facing(Server())

    def overtaken(question: Any) -> Any:
        if question.target.type == "tool":
            world.pipeline.engine.parts.definitions.forget("s", "notifications/tools/list_changed")
        return allow()

    world.policy.answer = overtaken
    got = await browser.legacy("tools/call", {"name": "read"})
    assert "changed during each attempt to judge this message" in got.json["result"]["content"][0]["text"]
    assert [message["method"] for message in world.upstream.messages].count("tools/call") == 0


async def test_a_tool_that_the_list_lacks_is_called_if_it_needs_no_pin() -> None:
    server = Server()
    server.tools = []
    world = World(pinning(required=False), server, definitions=cache())
    assert await called(Browser(world)) == "done"
    assert world.policy.questions[-1].definition_status == "not_listed"


async def test_a_tool_that_is_presented_in_two_ways_is_refused_also_if_it_needs_no_pin() -> None:
    server = Server()
    server.tools = [READ, POISONED]
    world = World(pinning(required=False), server, definitions=cache())
    assert await called(Browser(world)) == "policy_denied"


async def test_a_tool_that_is_listed_twice_in_the_same_way_is_one() -> None:
    server = Server()
    server.tools = [READ, READ]
    assert await called(facing(server)[1]) == "done"


async def test_ambiguous_arguments_are_refused_also_without_a_known_definition() -> None:
    server = Server()
    server.tools = []
    world = World(pinning(required=False), server, definitions=cache())
    got = await Browser(world).legacy("tools/call", {"name": "read", "arguments": {"path": 1, "\uff50ath": 2}})
    assert "some servers read as another one" in got.body.decode()
    assert [message["method"] for message in world.upstream.messages].count("tools/call") == 0


async def test_a_call_with_mirrored_arguments_needs_its_definition() -> None:
    server = Server()
    server.tools = []
    world = World(pinning(required=False), server, definitions=cache())
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read", "_meta": meta}}
    named = (("mcp-method", "tools/call"), ("mcp-name", "read"), ("mcp-param-region", "eu"))
    got = await Browser(world).send(message, *JSON, ("mcp-protocol-version", "2026-07-28"), *named)
    assert got.json["result"]["isError"]


async def test_a_waiting_call_looks_for_itself_if_the_one_it_waited_for_is_canceled() -> None:
    server = Server()
    go = asyncio.Event()
    world, browser = facing(server)
    send = world.upstream.send

    async def slow(forward: Any) -> Any:
        answer = await send(forward)
        if server.listed == 1:
            await go.wait()
        return answer

    world.upstream.send = slow
    first = asyncio.create_task(called(browser))
    while not server.listed:
        await asyncio.sleep(0)  # noqa: TID251 - lets the first call reach the server
    second = asyncio.create_task(called(browser))
    await asyncio.sleep(0)  # noqa: TID251 - lets the second call wait
    first.cancel()
    assert await second == "done"
    assert server.listed == 2


async def test_one_caller_has_a_bounded_number_of_looks_at_a_time() -> None:
    server = Server()
    world, browser = facing(server, looks=DiscoveryLimits(per_caller=2))
    going, most = 0, 0
    send = world.upstream.send

    async def counted(forward: Any) -> Any:
        nonlocal going, most
        if b"tools/list" in forward.permit.outbound.body:
            going += 1
            most = max(most, going)
            await asyncio.sleep(0)  # noqa: TID251 - lets the other calls begin
            going -= 1
        return await send(forward)

    world.upstream.send = counted
    calls = [called(browser, session(world, f"u{number}")) for number in range(10)]
    assert await asyncio.gather(*calls) == ["done"] * 10
    assert most <= 2


async def test_a_list_of_thousands_of_tools_leaves_turns_to_others() -> None:
    server = Server()
    server.tools = [READ, *({**READ, "name": f"t{number}"} for number in range(2_999))]
    world = World(pinning(READ), server, definitions=cache(), result_bytes=10_000_000)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)  # noqa: TID251 - counts the turns of the loop

    counting = asyncio.create_task(other())
    assert await called(Browser(world)) == "done"
    assert turns > 50
    counting.cancel()


async def test_opa_that_is_away_for_the_list_ends_the_call_as_that() -> None:
    server = Server()
    world, browser = facing(server)
    decide = world.policy.answer
    away = PolicyFailure(code="policy_unavailable", detail="away")
    world.policy.answer = lambda question: away if question.target.type == "none" else decide(question)
    assert await called(browser) == "policy_unavailable"
    world.policy.answer = decide
    assert await called(browser) == "done"
