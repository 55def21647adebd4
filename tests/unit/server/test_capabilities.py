"""Capabilities announced to client and server: never more than declared, and never more than policy permits."""

from typing import Any, Final

import orjson
import pytest

from gateway.admission.decision import ListingVerdict, PolicyFailure
from gateway.admission.policy_input import PolicyInput
from tests.fakes import FakeReply, World, deny
from tests.unit.server.client import JSON, MODERN, Browser, Got

CLIENT: Final[dict[str, Any]] = {"sampling": {}, "elicitation": {"form": {}}, "roots": {}, "experimental": {"x": 1}}
SERVER: Final[dict[str, Any]] = {
    "tools": {"listChanged": True},
    "prompts": {},
    "resources": {"subscribe": True},
    "completions": {},
    "logging": {},
    "experimental": {"x": {}},
}
META: Final = "io.modelcontextprotocol/"


def offering(**capabilities: Any) -> World:
    """A server that offers these capabilities, in either era."""

    def upstream(message: dict[str, Any]) -> FakeReply:
        result = {"protocolVersion": "2025-11-25", "resultType": "complete", "capabilities": capabilities}
        return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))

    return World(upstream=upstream)


async def initialize(world: World, capabilities: Any) -> Got:
    return await Browser(world).legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": capabilities})


async def modern(world: World, method: str, capabilities: Any, **params: Any) -> Got:
    meta = {META + "protocolVersion": MODERN, META + "clientCapabilities": capabilities, "progressToken": 5}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    named = (("mcp-name", params["name"]),) if "name" in params else ()
    headers = (*JSON, ("mcp-protocol-version", MODERN), ("mcp-method", method), *named)
    return await Browser(world).send(orjson.dumps(message) + b" ", *headers)


def sent(world: World) -> bytes:
    return world.upstream.forwards[-1].permit.outbound.body


async def test_a_server_does_not_see_capabilities_that_policy_refuses() -> None:
    world = offering()
    world.policy.hidden = {"sampling/createMessage", "roots/list"}
    await initialize(world, CLIENT)
    wanted: dict[str, Any] = {"elicitation": {"form": {}}, "experimental": {"x": 1}}
    assert world.upstream.messages[-1]["params"] == {"protocolVersion": "2025-11-25", "capabilities": wanted}
    asked = [question for question in world.policy.questions if question.message.method == "initialize"]
    assert [question.arguments["capabilities"] for question in asked] == [wanted]


async def test_a_clients_capability_is_judged_as_the_request_of_a_server() -> None:
    world = offering()
    await initialize(world, CLIENT)
    items = world.policy.listings[0].items
    assert [(item.message.method, item.target.name) for item in items] == [
        ("sampling/createMessage", "sampling/createMessage"),
        ("elicitation/create", "elicitation/create"),
        ("roots/list", "roots/list"),
    ]
    assert {(item.message.kind, item.target.type) for item in items} == {("request", "none")}


async def test_a_modern_request_is_unchanged_except_for_refused_capabilities() -> None:
    world = offering()
    world.policy.hidden = {"elicitation/create"}
    await modern(world, "tools/call", CLIENT, name="t", arguments={"a": 1.0})
    params = world.upstream.messages[-1]["params"]
    assert params["_meta"].pop(META + "clientCapabilities") == {"sampling": {}, "roots": {}, "experimental": {"x": 1}}
    assert params == {
        "name": "t",
        "arguments": {"a": 1.0},
        "_meta": {META + "protocolVersion": MODERN, "progressToken": 5},
    }


async def test_the_gateways_own_look_at_a_list_declares_no_more_than_the_client_may() -> None:
    world = World(upstream=lambda _: FakeReply(b"{}"), blank=True)
    world.policy.hidden = {"elicitation/create"}
    await modern(world, "tools/call", CLIENT, name="t")
    declared = [message["params"]["_meta"][META + "clientCapabilities"] for message in world.upstream.messages]
    assert len(declared) > 1
    assert all("elicitation" not in capabilities for capabilities in declared)


async def test_permitted_capabilities_are_forwarded_byte_for_byte() -> None:
    world = offering()
    await modern(world, "tools/call", CLIENT | {"extensions": {META + "ui": {}}}, name="t")
    assert sent(world).endswith(b"} ")


async def test_a_request_without_capabilities_asks_policy_nothing_more() -> None:
    world = offering()
    await modern(world, "tools/call", {}, name="t")
    assert world.policy.listings == []


async def test_a_filter_and_the_capabilities_of_a_stream_are_both_narrowed() -> None:
    world = World(upstream=lambda _: FakeReply(b"", media="sse"))
    world.policy.hidden = {"roots/list", "file:///b"}
    await modern(world, "subscriptions/listen", CLIENT, notifications={"resourceSubscriptions": ["file:///b"]})
    params = world.upstream.messages[-1]["params"]
    assert params["notifications"] == {"resourceSubscriptions": []}
    assert "roots" not in params["_meta"][META + "clientCapabilities"]


async def test_extensions_that_the_gateway_does_not_know_are_not_declared() -> None:
    known = {META + "tasks": {"a": 1}}
    world = offering(extensions={**known, "vendor/x": {}}, tools={})
    got = await initialize(world, {"extensions": {**known, "vendor/x": {}}})
    assert world.upstream.messages[-1]["params"]["capabilities"] == {"extensions": known}
    assert got.json["result"]["capabilities"] == {"extensions": known, "tools": {}}


@pytest.mark.parametrize("strange", [{"Sampling": {}}, {"\u017fampling": {}}, {"Extensions": {}}, {"extensions": [1]}])
async def test_an_unjudged_key_that_a_server_may_read_as_a_capability_is_left_out(strange: dict[str, Any]) -> None:
    world = offering()
    await initialize(world, {"roots": {}, **strange})
    assert world.upstream.messages[-1]["params"]["capabilities"] == {"roots": {}}


@pytest.mark.parametrize("method", ["initialize", "server/discover"])
async def test_a_client_learns_of_no_capability_that_policy_refuses_it(method: str) -> None:
    world = offering(**SERVER)
    world.policy.hidden = {"prompts", "completions", "logging"}
    got = await (initialize(world, {}) if method == "initialize" else modern(world, method, {}))
    kept = {key: SERVER[key] for key in ("tools", "resources", "experimental")}
    assert got.json["result"]["capabilities"] == kept
    assert got.json["result"]["protocolVersion"] == "2025-11-25"


async def test_each_capability_of_a_server_is_judged_under_its_name() -> None:
    world = offering(**SERVER)
    await initialize(world, {})
    items = [item for listing in world.policy.listings for item in listing.items]
    assert [(item.message.method, item.target.type, item.target.name) for item in items] == [
        ("tools/list", "none", "tools"),
        ("prompts/list", "none", "prompts"),
        ("resources/list", "none", "resources"),
        ("completion/complete", "none", "completions"),
        ("logging/setLevel", "none", "logging"),
    ]


async def test_a_server_of_which_policy_refuses_nothing_is_shown_byte_for_byte() -> None:
    raw = b'{"jsonrpc":"2.0", "id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}, "x":{}}}}'
    got = await initialize(World(upstream=lambda _: FakeReply(raw)), {})
    assert got.body == raw


TWOFOLD: Final = {
    "the capabilities twice": b'"capabilities":{"logging":{}},"capabilities":{"tools":{}}',
    "once more in other letters": b'"capabilities":{"logging":{}},"c\\u0061pabilities":{"tools":{}}',
    "a capability twice": b'"capabilities":{"tools":{"listChanged":true},"tools":{}}',
    "a capability twice, first less": b'"capabilities":{"tools":{"listChanged":true, "listChanged":false},"tools":{}}',
}


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("case", TWOFOLD)
async def test_a_client_reads_only_judged_capabilities_with_every_kind_of_reader(case: str, era: str) -> None:
    rest = b'"protocolVersion":"2025-11-25","resultType":"complete","ttlMs":0,"cacheScope":"private"'
    raw = b'{"jsonrpc":"2.0","id":1,"result":{' + TWOFOLD[case] + b"," + rest + b"}}"
    world = World(upstream=lambda _: FakeReply(raw))
    got = await (initialize(world, {}) if era == "legacy" else modern(world, "server/discover", {}))
    assert orjson.loads(got.body)["result"]["capabilities"] == {"tools": {}}
    assert b"logging" not in got.body
    assert b"listChanged" not in got.body


async def test_capabilities_are_narrowed_in_event_streams_too() -> None:
    result = {"protocolVersion": "2025-11-25", "capabilities": SERVER}
    event = b"data: " + orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result}) + b"\n\n"
    world = World(upstream=lambda _: FakeReply(event, media="sse"))
    world.policy.hidden = {"logging"}
    got = await initialize(world, {})
    assert "logging" not in got.events[0]["result"]["capabilities"]


@pytest.mark.parametrize("capabilities", [CLIENT, {}])
async def test_no_client_connects_if_policy_cannot_be_asked_about_capabilities(
    capabilities: dict[str, Any],
) -> None:
    class Down(World):
        async def listing(self, question: PolicyInput) -> ListingVerdict | PolicyFailure:
            del question
            return PolicyFailure(code="policy_unavailable", detail="down")

    world = Down(upstream=offering(**SERVER).upstream.answer)
    world.policy.listing = world.listing
    got = await initialize(world, capabilities)
    assert (got.status, got.json["error"]["code"]) == (503, 50301)
    assert len(world.upstream.forwards) == (0 if capabilities else 1)
    assert len(world.journal.records) == 1


async def test_a_capability_whose_judgment_fails_is_not_declared() -> None:
    world = offering()
    world.policy.broken = {"sampling/createMessage"}
    await initialize(world, {"sampling": {}, "roots": {}})
    assert world.upstream.messages[-1]["params"]["capabilities"] == {"roots": {}}


async def test_a_refused_request_stays_refused_with_every_declaration() -> None:
    world = offering()
    world.policy.answer = lambda _: deny()
    await modern(world, "tools/call", CLIENT, name="t")
    assert world.upstream.forwards == []


@pytest.mark.parametrize("method", ["initialize", "server/discover"])
async def test_a_client_learns_of_no_tasks_that_policy_does_not_agree_to(method: str) -> None:
    extensions: dict[str, Any] = {META + "tasks": {"a": 1}, META + "ui": {}}
    world = offering(tools={}, tasks={"list": {}}, extensions=extensions)
    world.policy.hidden = {"tasks"}
    got = await (initialize(world, {}) if method == "initialize" else modern(world, method, {}))
    assert got.json["result"]["capabilities"] == {"tools": {}, "extensions": {META + "ui": {}}}
    item = world.policy.listings[-1].items[-1]
    assert (item.message.method, item.target.type) == ("tasks/get", "task")


@pytest.mark.parametrize("agreed", [True, False])
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_server_learns_of_the_tasks_extension_if_policy_agrees_to_tasks(era: str, agreed: bool) -> None:
    extensions: dict[str, Any] = {META + "tasks": {}, META + "ui": {}}
    world = offering()
    world.policy.hidden = set() if agreed else {"tasks"}
    if era == "legacy":
        await initialize(world, {"extensions": extensions})
        declared = world.upstream.messages[-1]["params"]["capabilities"]
    else:
        await modern(world, "tools/call", {"extensions": extensions}, name="t")
        declared = world.upstream.messages[-1]["params"]["_meta"][META + "clientCapabilities"]
    assert declared == {"extensions": extensions if agreed else {META + "ui": {}}}


async def test_a_revision_without_tasks_announces_none_under_every_policy() -> None:
    world = offering(tools={}, tasks={}, extensions={META + "tasks": {}})
    capabilities: dict[str, Any] = {"extensions": {META + "tasks": {}}}
    params = {"protocolVersion": "2025-06-18", "capabilities": capabilities}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    got = await Browser(world).send(message, *JSON)
    assert got.json["result"]["capabilities"] == {"tools": {}, "extensions": {}}
    assert world.upstream.messages[-1]["params"]["capabilities"] == {"extensions": {}}
