"""Answers of the endpoint to client requests, over scripted ports."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from starlette.types import Message

from gateway.admission.decision import Decision, Ground, ListingVerdict, Obligation, PolicyFailure, Route
from gateway.admission.policy_input import PolicyInput
from gateway.admission.record import JournalFailure
from gateway.admission.session_digest import session_digest
from gateway.pipeline.ports import UpstreamFailure
from gateway.protocol.errors import DECISION_KEY
from gateway.server import UnverifiedCaller
from gateway.upstream.failures import CLOSED, SLOW, UNRESOLVED, of_status, too_large
from tests.fakes import CALLER, FakeReply, World, allow, deny
from tests.unit.server.client import JSON, MODERN, Browser, task_text

CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
SSE = (("content-type", "text/event-stream"),)


def answer(message: dict[str, Any], **result: Any) -> FakeReply:
    """Return the upstream's result for a message."""
    return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))


def sse(*messages: dict[str, Any]) -> FakeReply:
    """Return the upstream's messages as server-sent events."""
    return FakeReply(*(b"data: " + orjson.dumps(message) + b"\n\n" for message in messages), media="sse")


def called(message: dict[str, Any]) -> FakeReply:
    return answer(message, content=[{"type": "text", "text": "done"}])


async def test_an_allowed_call_reaches_the_server_as_it_came_and_its_answer_comes_back() -> None:
    world = World(upstream=called)
    got = await Browser(world).legacy("tools/call", {"name": "t", "arguments": {"a": 1}})
    assert got.status == 200
    assert got.json["result"]["content"][0]["text"] == "done"
    sent = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t", "arguments": {"a": 1}}}
    assert world.upstream.forwards[-1].permit.outbound.body == orjson.dumps(sent)


@pytest.mark.parametrize(
    "decision",
    [
        deny(),
        PolicyFailure(code="policy_unavailable", detail="down"),
        PolicyFailure(code="policy_error", detail="eval"),
        PolicyFailure(code="policy_regressed", detail="old"),
    ],
)
async def test_nothing_reaches_the_server_without_an_allow(decision: Decision | PolicyFailure) -> None:
    world = World(lambda _: decision, called)
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert got.status == 200
    assert got.json["result"]["isError"] is True
    assert world.upstream.forwards == []
    assert {record.method for record in world.journal.records} == {"tools/list", "tools/call"}


def _always(decision: Decision) -> Callable[[PolicyInput], Decision]:
    return lambda _: decision


def _strange(**changes: Any) -> Decision:
    fields = {name: getattr(allow(), name) for name in Decision.__struct_fields__}
    return Decision(**{**fields, **changes})


@pytest.mark.parametrize(
    "decision",
    [
        _strange(grounds=[]),
        _strange(grounds=[Ground(rule="r", effect="deny")]),
        _strange(grounds=[Ground(rule="r", effect="allow"), Ground(rule="s", effect="hold")]),
        _strange(route=None),
        _strange(reasons=deny().reasons),
        _strange(obligations=[Obligation(requirement="r", type="redact_result")]),
        _strange(outcome="hold"),
    ],
)
async def test_an_allow_that_lacks_anything_is_a_denial(decision: Decision) -> None:
    world = World(lambda _: decision, called)
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert got.json["result"]["isError"] is True
    assert world.upstream.forwards == []


async def test_a_held_call_is_refused_as_approval_required() -> None:
    got = await Browser(World(lambda _: _strange(outcome="hold"))).legacy("tools/call", {"name": "t"})
    assert got.json["result"]["_meta"][DECISION_KEY]["code"] == "approval_required"


async def test_nothing_reaches_the_server_without_its_record() -> None:
    world = World(upstream=called)
    world.journal.failure = JournalFailure(detail="disk full")
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert got.json["result"]["_meta"][DECISION_KEY]["code"] == "journal_unavailable"
    assert world.upstream.forwards == []


async def test_a_refusal_names_the_event_the_reason_and_the_remedy_in_both_eras() -> None:
    world = World(lambda _: deny("rules_permit"))
    for got in (
        await Browser(world).legacy("tools/call", {"name": "t"}),
        await Browser(world).modern("tools/call", {"name": "t"}, name="t"),
    ):
        result = got.json["result"]
        assert "rules_permit" in result["content"][0]["text"]
        assert "Do not retry this unchanged" in result["content"][0]["text"]
        assert result["_meta"][DECISION_KEY]["reasons"][0]["requirement"] == "rules_permit"
    assert result["resultType"] == "complete"


@pytest.mark.parametrize(
    "outcome",
    [
        SLOW,
        CLOSED,
        of_status(401),
        of_status(307),
        FakeReply(b"", status=500),
        FakeReply(b"<html>", media="other"),
        FakeReply(b"[]"),
        FakeReply(b": nothing\n\n", media="sse"),
        FakeReply(failure=too_large(9)),
        FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"inputRequests": {"a": 1}}})),
    ],
    ids=["late", "closed", "401", "307", "500", "html", "batch", "silent", "large", "asks"],
)
async def test_a_call_that_was_sent_is_never_said_to_be_refused_or_unexecuted(outcome: Any) -> None:
    world = World(upstream=lambda message: called(message) if message["method"] == "tools/list" else outcome)
    for got in (
        await Browser(world).legacy("tools/call", {"name": "t"}),
        await Browser(world).modern("tools/call", {"name": "t"}, name="t"),
    ):
        assert b"It may have been executed." in got.body
        assert b"Nothing was executed" not in got.body
        assert b"Refused" not in got.body


async def test_a_call_that_could_not_be_sent_is_said_to_be_unexecuted() -> None:
    got = await Browser(World(upstream=lambda _: UNRESOLVED)).legacy("tools/call", {"name": "t"})
    text = got.json["result"]["content"][0]["text"]
    assert text.startswith("The request was not sent to the server (upstream_unavailable). Nothing was executed.")


async def test_other_requests_are_refused_as_json_rpc_errors_with_our_codes() -> None:
    got = await Browser(World(lambda _: deny())).legacy("prompts/get", {"name": "p"})
    assert (got.status, got.json["error"]["code"]) == (200, 40301)


async def test_a_client_that_connects_while_policy_is_down_is_asked_to_retry() -> None:
    world = World(lambda _: PolicyFailure(code="policy_unavailable", detail="down"))
    got = await Browser(world).legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    assert got.status == 503
    assert int(got.headers["retry-after"]) > 0


async def test_an_unregistered_token_is_answered_401_with_a_challenge() -> None:
    got = await Browser(World(lambda _: deny("principal_is_verified"))).legacy("tools/list")
    assert (got.status, got.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_flood_of_unregistered_tokens_takes_one_record() -> None:
    world = World(lambda _: deny("principal_is_verified"))
    browser = Browser(world)
    assert (await browser.legacy("tools/list")).status == 401
    world.floods.known = True
    assert (await browser.legacy("tools/list")).status == 401
    assert len(world.journal.records) == 1


async def test_a_flood_does_not_hide_refusals_of_verified_callers() -> None:
    world = World(lambda _: deny())
    world.floods.known = True
    assert (await Browser(world).legacy("tools/list")).status == 200
    assert len(world.journal.records) == 1


async def test_a_caller_without_credential_is_refused_before_its_body_is_believed() -> None:
    world = World()
    world.callers.outcome = UnverifiedCaller(cause="token_missing", reason="none", status=401, challenge="Bearer x")
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert (got.status, got.headers["www-authenticate"]) == (401, "Bearer x")
    assert world.policy.questions == []
    assert len(world.journal.records) == 1


async def test_refused_notifications_are_accepted_dropped_and_recorded() -> None:
    world = World(lambda _: deny())
    message = {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}
    got = await Browser(world).send(message, *JSON, ("mcp-protocol-version", "2025-11-25"))
    assert got.status == 202
    assert world.upstream.forwards == []
    assert len(world.journal.records) == 1


async def test_an_unknown_method_is_refused_in_the_protocols_own_way() -> None:
    world = World()
    legacy = await Browser(world).legacy("tools/frobnicate")
    modern = await Browser(world).modern("tools/frobnicate")
    assert (legacy.status, legacy.json["error"]["code"]) == (200, -32601)
    assert (modern.status, modern.json["error"]["code"]) == (404, -32601)
    assert world.upstream.forwards == []
    assert len(world.journal.records) == 2


async def test_a_body_that_breaks_off_is_not_forwarded() -> None:
    world = World(upstream=called)
    whole = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t"}})
    events: list[Message] = [{"type": "http.request", "body": whole, "more_body": True}, {"type": "http.disconnect"}]
    await Browser(world).send(b"", *JSON, ("mcp-protocol-version", "2025-11-25"), events=events)
    assert world.upstream.forwards == []
    assert world.policy.questions == []
    assert len(world.journal.records) == 1


INFO = {"name": "n" * 300, "version": "1"}


@pytest.mark.parametrize(
    ("meta", "params", "client"),
    [
        ({}, {}, ("", "")),
        ({}, {"clientInfo": INFO}, ("n" * 200, "1")),
        ({CLIENT_INFO: INFO}, {}, ("n" * 200, "1")),
        ({CLIENT_INFO: INFO}, {"clientInfo": {"name": "first"}}, ("first", "")),
        ({CLIENT_INFO: INFO}, {"clientInfo": {}}, ("n" * 200, "1")),
        ({CLIENT_INFO: INFO}, {"clientInfo": "n"}, ("n" * 200, "1")),
        ({CLIENT_INFO: {"name": 1, "version": None}}, {}, ("", "")),
        ({CLIENT_INFO: {}}, {"clientInfo": [INFO]}, ("", "")),
    ],
)
async def test_policy_sees_the_name_that_a_client_gives_itself(
    meta: dict[str, Any], params: dict[str, Any], client: tuple[str, str]
) -> None:
    world = World(upstream=called)
    required: dict[str, Any] = {"io.modelcontextprotocol/protocolVersion": MODERN}
    required["io.modelcontextprotocol/clientCapabilities"] = {}
    called_with = {"name": "t", **params, "_meta": {**required, **meta}}
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called_with}
    named = (("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", "t"))
    await Browser(world).send(message, *JSON, *named)
    asked = world.policy.questions[-1].client
    assert (asked.name, asked.version) == client


async def test_a_resource_uri_out_of_normal_form_is_refused_first() -> None:
    world = World(upstream=called)
    got = await Browser(world).legacy("resources/read", {"uri": "file:///docs/../etc/passwd"})
    assert "error" in got.json
    assert world.policy.questions == []
    assert world.upstream.forwards == []


@pytest.mark.parametrize("params", [{"name": "t", "arguments": [1]}, {"name": "t", "arguments": "x"}])
async def test_arguments_that_are_not_an_object_do_not_pass(params: dict[str, Any]) -> None:
    world = World(upstream=called)
    got = await Browser(world).legacy("tools/call", params)
    assert got.json["result"]["_meta"][DECISION_KEY]["code"] == "message_malformed"
    assert world.upstream.forwards == []


async def test_a_key_that_folds_onto_a_declared_one_is_refused() -> None:
    world = World(upstream=called)
    world.definitions.presented.folded = "Path"
    got = await Browser(world).legacy("tools/call", {"name": "t", "arguments": {"Path": 1}})
    assert got.json["result"]["_meta"][DECISION_KEY]["code"] == "message_malformed"
    assert [message["method"] for message in world.upstream.messages] == ["tools/list"]


async def test_a_target_that_was_not_seen_is_listed_first_by_the_same_principal() -> None:
    def upstream(message: dict[str, Any]) -> FakeReply:
        return answer(message, tools=[{"name": "t"}]) if message["method"] == "tools/list" else called(message)

    world = World(upstream=upstream, blank=True)
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert got.json["result"]["content"][0]["text"] == "done"
    assert [message["method"] for message in world.upstream.messages] == ["tools/list", "tools/call"]
    assert [question.message.method for question in world.policy.questions] == ["tools/list", "tools/call"]
    assert {question.principal.credential_sha256 for question in world.policy.questions} == {"ab" * 32}
    assert len(world.journal.records) == 2


async def test_a_definition_seen_with_another_credential_does_not_count() -> None:
    other = Route(url="http://upstream.test/mcp")
    world = World(upstream=called)
    browser = Browser(world)
    await browser.legacy("tools/call", {"name": "t"})
    world.policy.answer = _always(allow(other))
    got = await browser.legacy("tools/call", {"name": "t"})
    assert got.json["result"].get("isError") is None
    assert [question.message.method for question in world.policy.questions].count("tools/call") >= 3


async def test_lists_are_filtered_in_order_and_keep_their_cursor() -> None:
    def upstream(message: dict[str, Any]) -> FakeReply:
        tools = [{"name": name} for name in ("a", "b", "c", "d", "e")] + [{"title": "nameless"}]
        return answer(message, tools=tools, nextCursor="x", other=1)

    world = World(upstream=upstream)
    world.policy.hidden = {"b", "d"}
    result = (await Browser(world).legacy("tools/list")).json["result"]
    assert [tool["name"] for tool in result["tools"]] == ["a", "c", "e"]
    assert (result["nextCursor"], result["other"]) == ("x", 1)
    assert "cacheScope" not in result


async def test_a_modern_list_is_private_and_not_kept_longer_than_the_cap() -> None:
    world = World(upstream=lambda m: answer(m, tools=[], ttlMs=99_999, cacheScope="public", resultType="complete"))
    result = (await Browser(world).modern("tools/list")).json["result"]
    assert (result["ttlMs"], result["cacheScope"], result["resultType"]) == (1000, "private", "complete")


@pytest.mark.parametrize(("method", "uri"), [("server/discover", ""), ("resources/read", "file:///a")])
async def test_every_permitted_result_is_private_and_not_cached_beyond_the_cap(method: str, uri: str) -> None:
    world = World(upstream=lambda m: answer(m, ttlMs=99_999, cacheScope="public", resultType="complete", other=1))
    result = (await Browser(world).modern(method, {"uri": uri} if uri else {}, name=uri)).json["result"]
    assert result == {"ttlMs": 1000, "cacheScope": "private", "resultType": "complete", "other": 1}


async def test_a_long_cache_time_in_an_event_stream_is_capped_too() -> None:
    done: dict[str, Any] = {"resultType": "complete", "contents": [], "ttlMs": 99_999, "cacheScope": "public"}
    world = World(upstream=lambda m: sse({"jsonrpc": "2.0", "id": m["id"], "result": done}))
    got = await Browser(world).modern("resources/read", {"uri": "file:///a"}, name="file:///a")
    assert (got.events[0]["result"]["ttlMs"], got.events[0]["result"]["cacheScope"]) == (1000, "private")


@pytest.mark.parametrize("ttl", [{}, {"ttlMs": -1}, {"ttlMs": "9"}, {"ttlMs": True}, {"ttlMs": 1e3}])
async def test_a_result_that_the_server_forbids_to_cache_stays_uncached(ttl: dict[str, Any]) -> None:
    world = World(upstream=lambda m: answer(m, tools=[], resultType="complete", **ttl))
    assert (await Browser(world).modern("tools/list")).json["result"]["ttlMs"] == 0


async def test_a_private_result_within_the_cap_travels_as_it_came() -> None:
    raw = b'{"jsonrpc":"2.0", "id":1,"result":{"ttlMs":7,"cacheScope":"private","contents":[],"resultType":"complete"}}'
    world = World(upstream=lambda _: FakeReply(raw))
    got = await Browser(world).modern("resources/read", {"uri": "file:///a"}, name="file:///a")
    assert got.body == raw


@pytest.mark.parametrize("method", ["tools/call", "prompts/get"])
async def test_a_result_that_is_not_cacheable_has_no_cap(method: str) -> None:
    world = World(upstream=lambda m: answer(m, resultType="complete", content=[]))
    result = (await Browser(world).modern(method, {"name": "t"}, name="t")).json["result"]
    assert result == {"resultType": "complete", "content": []}


async def test_a_legacy_resource_gets_no_cache_time() -> None:
    world = World(upstream=lambda m: answer(m, contents=[]))
    assert (await Browser(world).legacy("resources/read", {"uri": "file:///a"})).json["result"] == {"contents": []}


async def test_a_second_cache_scope_never_reaches_the_client() -> None:
    result = b'{"cacheScope":"public","contents":[],"resultType":"complete","ttlMs":1,"cacheScope":"private"}'
    world = World(upstream=lambda _: FakeReply(b'{"jsonrpc":"2.0","id":1,"result":' + result + b"}"))
    got = await Browser(world).modern("resources/read", {"uri": "file:///a"}, name="file:///a")
    assert b"public" not in got.body


BIG = b"340282366920938463463374607431768211455"


async def test_a_list_that_is_shown_whole_keeps_every_byte() -> None:
    raw = b'{"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "t", "inputSchema": {"maximum": ' + BIG + b"}}]}}"
    got = await Browser(World(upstream=lambda _: FakeReply(raw))).legacy("tools/list", {})
    assert got.body == raw


async def test_numbers_of_a_list_that_is_filtered_keep_their_text() -> None:
    items = b'{"name":"t","inputSchema":{"maximum":' + BIG + b',"multipleOf":1.10}},{"name":"hidden"}'
    raw = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[' + items + b"]}}"
    world = World(upstream=lambda _: FakeReply(raw))
    world.policy.hidden.add("hidden")
    for got in (await Browser(world).legacy("tools/list", {}), await Browser(world).modern("tools/list", {})):
        assert b'"maximum":' + BIG + b',"multipleOf":1.10' in got.body
        assert b"hidden" not in got.body


async def test_lists_are_filtered_in_event_streams_too() -> None:
    def upstream(message: dict[str, Any]) -> FakeReply:
        return sse({"jsonrpc": "2.0", "id": message["id"], "result": {"tools": [{"name": "a"}, {"name": "b"}]}})

    world = World(upstream=upstream)
    world.policy.hidden = {"b"}
    got = await Browser(world).legacy("tools/list")
    assert [tool["name"] for tool in got.events[0]["result"]["tools"]] == ["a"]


async def test_an_item_whose_judgment_fails_is_hidden_and_no_other() -> None:
    world = World(upstream=lambda m: answer(m, tools=[{"name": name} for name in "abcdefg"]))
    world.policy.broken = {"c"}
    result = (await Browser(world).legacy("tools/list")).json["result"]
    assert "".join(tool["name"] for tool in result["tools"]) == "abdefg"


async def test_a_list_of_which_one_question_is_not_answered_in_time_is_refused_as_a_whole() -> None:
    world = World(upstream=lambda m: answer(m, tools=[{"name": name} for name in "abcdefg"]))
    answered = world.policy.listing

    async def late(question: PolicyInput) -> ListingVerdict | PolicyFailure:
        last = any(item.target.name == "g" for item in question.items)
        return PolicyFailure(code="policy_unavailable", detail="late") if last else await answered(question)

    world.policy.listing = late
    got = await Browser(world).legacy("tools/list")
    assert got.json["error"]["code"] == 50301
    assert b'"a"' not in got.body
    assert len(world.policy.listings) == 1, "the others were answered"


async def test_equal_lists_are_judged_once_a_revision() -> None:
    world = World(upstream=lambda m: answer(m, tools=[{"name": "a"}]))
    browser = Browser(world)
    await browser.legacy("tools/list")
    await browser.legacy("tools/list")
    assert len(world.policy.listings) == 1
    world.policy.revision = "test@0123456789ab.2"
    await browser.legacy("tools/list")
    assert len(world.policy.listings) == 2


async def test_a_session_is_sealed_and_belongs_to_one_caller_and_server() -> None:
    def upstream(message: dict[str, Any]) -> FakeReply:
        reply = answer(message, protocolVersion="2025-11-25", capabilities={})
        reply.headers = (("mcp-session-id", "upstream-1"),)
        return reply

    world = World(upstream=upstream)
    browser = Browser(world)
    opened = await browser.legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    session = opened.headers["mcp-session-id"]
    assert "upstream-1" not in session
    await browser.legacy("tools/list", None, ("mcp-session-id", session))
    assert ("mcp-session-id", "upstream-1") in world.upstream.forwards[-1].permit.outbound.headers
    assert world.policy.questions[-1].context.session == session_digest(session)
    count = len(world.upstream.forwards)
    forged = await browser.legacy("tools/list", None, ("mcp-session-id", "upstream-1"))
    elsewhere = await browser.send(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        *JSON,
        ("mcp-session-id", session),
        path="/servers/other/mcp",
    )
    world.policy.answer = _always(allow(agent="another"))
    stranger = await browser.legacy("tools/list", None, ("mcp-session-id", session))
    assert (forged.status, elsewhere.status) == (404, 404)
    assert stranger.json["error"]["data"]["code"] == "session_unknown"
    assert len(world.upstream.forwards) == count


async def test_a_servers_request_has_a_sealed_id_and_gets_the_clients_answer() -> None:
    ask: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": "elicitation/create", "params": {"message": "?"}}

    def upstream(message: dict[str, Any]) -> FakeReply:
        if message.get("method") != "tools/call":
            return FakeReply(status=202, media="empty")
        return sse(ask, {"jsonrpc": "2.0", "id": 1, "result": {"content": []}})

    world = World(upstream=upstream)
    browser = Browser(world)
    got = await browser.legacy("tools/call", {"name": "t"})
    sealed = got.events[0]["id"]
    assert sealed != 7
    assert got.events[1]["id"] == 1
    said: dict[str, Any] = {"jsonrpc": "2.0", "id": sealed, "result": {"action": "accept", "content": {"a": 1}}}
    accepted = await browser.send(said, *JSON, ("mcp-protocol-version", "2025-11-25"))
    assert accepted.status == 202
    assert world.upstream.messages[-1] == {
        "jsonrpc": "2.0",
        "id": 7,
        "result": {"action": "accept", "content": {"a": 1}},
    }
    kinds = [(q.phase, q.message.kind, q.target.name) for q in world.policy.questions]
    assert kinds[-2:] == [
        ("server_request", "request", "elicitation/create"),
        ("request", "response", "elicitation/create"),
    ]


async def test_a_response_that_answers_nothing_is_dropped() -> None:
    world = World()
    said: dict[str, Any] = {"jsonrpc": "2.0", "id": "7", "result": {}}
    got = await Browser(world).send(said, *JSON, ("mcp-protocol-version", "2025-11-25"))
    assert got.status == 202
    assert world.upstream.forwards == []


async def test_a_refused_request_of_the_server_is_answered_for_the_client() -> None:
    def policy(question: PolicyInput) -> Decision:
        return deny() if question.phase == "server_request" else allow()

    ask: dict[str, Any] = {"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": {}}

    def upstream(message: dict[str, Any]) -> FakeReply:
        if message.get("method") != "tools/call":
            return FakeReply(status=202, media="empty")
        return sse(ask, {"jsonrpc": "2.0", "id": 1, "result": {"content": []}})

    world = World(policy, upstream)
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert [event.get("method") for event in got.events] == [None]
    refusal = world.upstream.messages[-1]
    assert (refusal["id"], refusal["error"]["code"]) == ("s1", 40301)


async def test_a_request_refused_on_the_standing_stream_gets_a_separate_answer() -> None:
    def policy(question: PolicyInput) -> Decision:
        return deny() if question.phase == "server_request" else allow()

    ask: dict[str, Any] = {"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": {}}
    world = World(policy, lambda message: FakeReply(status=202, media="empty") if message else sse(ask))
    stream = (("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"))
    got = await Browser(world).send(b"", *stream, verb="GET")
    assert got.events == []
    answer = world.upstream.forwards[-1].permit.outbound
    assert answer.verb == "POST"
    assert dict(answer.headers)["content-type"] == "application/json"
    assert ("mcp-protocol-version", "2025-11-25") in answer.headers
    assert (world.upstream.messages[-1]["id"], world.upstream.messages[-1]["error"]["code"]) == ("s1", 40301)


class Standing(FakeReply):
    """A stream that stays silent forever, and records how it was closed."""

    drained: bool | None = None

    async def chunks(self) -> AsyncIterator[bytes | UpstreamFailure]:
        await asyncio.Event().wait()
        yield b""

    async def close(self, *, drain: bool) -> None:
        self.drained = drain


async def test_a_standing_stream_is_closed_at_once_when_its_client_goes_away() -> None:
    reply = Standing(media="sse")
    world = World(upstream=lambda _: reply)
    leaving: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]
    stream = (("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"))
    async with asyncio.timeout(5):
        await Browser(world).send(b"", *stream, verb="GET", events=leaving)
    assert len(world.upstream.forwards) == 1
    assert reply.drained is False
    assert world.journal.completions[-1].outcome == "client_gone"


async def test_a_modern_server_may_ask_for_input_only_if_policy_agrees() -> None:
    def upstream(message: dict[str, Any]) -> FakeReply:
        ask = {"k": {"method": "elicitation/create", "params": {"message": "?"}}}
        return answer(message, resultType="input_required", inputRequests=ask, requestState="s")

    allowed = await Browser(World(upstream=upstream)).modern("tools/call", {"name": "t"}, name="t")
    assert allowed.json["result"]["resultType"] == "input_required"
    world = World(lambda q: deny() if q.phase == "server_request" else allow(), upstream)
    refused = await Browser(world).modern("tools/call", {"name": "t"}, name="t")
    assert refused.json["result"]["isError"] is True


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        ("tools/call", {"name": "t"}, {"resultType": "complete", "content": []}),
        ("tools/call", {"name": "t"}, {"resultType": "task", "taskId": "t1", "status": "input_required"}),
        ("tasks/get", {"taskId": "t1"}, {"resultType": "complete", "taskId": "t1", "status": "input_required"}),
    ],
)
async def test_a_request_in_a_result_is_judged_under_every_result_type(
    method: str, params: dict[str, Any], says: dict[str, Any]
) -> None:
    ask: dict[str, Any] = {"k": {"method": "sampling/createMessage", "params": {"messages": []}}}

    def upstream(message: dict[str, Any]) -> FakeReply:
        return answer(message, **says, inputRequests=ask)

    name, world = params.get("name", ""), World(upstream=upstream)
    params = {key: task_text(world, value) if key == "taskId" else value for key, value in params.items()}
    allowed = await Browser(world).modern(method, params, name=name)
    assert allowed.json["result"]["inputRequests"] == ask
    world = World(lambda q: deny() if q.phase == "server_request" else allow(), upstream)
    refused = await Browser(world).modern(method, params, name=name)
    assert b"createMessage" not in refused.body
    assert "error" in refused.json or refused.json["result"]["isError"] is True


@pytest.mark.parametrize("requests", [7, [], {"k": None}, {"k": {"method": 7}}, {"k": {"method": "m", "params": []}}])
async def test_requests_for_input_that_cannot_be_read_refuse_the_result(requests: Any) -> None:
    def upstream(message: dict[str, Any]) -> FakeReply:
        return answer(message, resultType="complete", content=[], inputRequests=requests)

    got = await Browser(World(upstream=upstream)).modern("tools/call", {"name": "t"}, name="t")
    assert got.json["result"]["isError"] is True
    assert "malformed" in str(got.json["result"]["content"])


@pytest.mark.parametrize("method", ["tools/list", "server/discover"])
async def test_a_result_that_may_not_ask_for_input_is_refused_if_it_asks(method: str) -> None:
    def upstream(message: dict[str, Any]) -> FakeReply:
        ask: dict[str, Any] = {"k": {"method": "sampling/createMessage", "params": {}}}
        return answer(message, resultType="complete", tools=[], capabilities={}, inputRequests=ask)

    got = await Browser(World(upstream=upstream)).modern(method)
    assert b"createMessage" not in got.body
    assert "may not ask the client for input" in str(got.json)


async def test_only_the_response_to_the_open_request_is_delivered() -> None:
    other = {"jsonrpc": "2.0", "id": "1", "result": {"tools": [{"name": "secret"}]}}
    world = World(upstream=lambda _: sse(other, {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}))
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert [event["id"] for event in got.events] == [1]


async def test_a_servers_json_rpc_error_keeps_its_status_and_has_the_type_json() -> None:
    error = {"code": -32022, "message": "Unsupported protocol version", "data": {"supported": [MODERN]}}
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "error": error})
    reply = FakeReply(body, status=400, headers=(("content-type", "application/json"),))
    got = await Browser(World(upstream=lambda _: reply)).modern("server/discover")
    assert (got.status, got.headers["content-type"], got.body) == (400, "application/json", body)


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_an_upstreams_own_refusal_never_reaches_the_client(status: int) -> None:
    reply = FakeReply(b"{}", status=status, headers=(("www-authenticate", "Bearer realm=x"),))
    got = await Browser(World(upstream=lambda _: reply)).legacy("tools/call", {"name": "t"})
    assert got.status == 200
    assert got.json["result"]["isError"] is True
    assert "www-authenticate" not in got.headers


@pytest.mark.parametrize(
    "reply",
    [
        UpstreamFailure(code="upstream_unavailable", detail="refused"),
        FakeReply(b"not json"),
        FakeReply(b"x", media="other"),
        FakeReply(b"x" * 20_000),
        FakeReply(failure=UpstreamFailure(code="upstream_broken", detail="cut")),
        sse(),
    ],
)
async def test_an_upstream_that_gives_nothing_usable_is_a_tool_error_with_a_second_record(
    reply: FakeReply | UpstreamFailure,
) -> None:
    world = World(upstream=lambda _: reply)
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    told = got.events[-1] if got.headers["content-type"].startswith("text/event") else got.json
    assert told["result"]["isError"] is True
    assert world.journal.completions[-1].outcome != "answered"
    assert [message["method"] for message in world.upstream.messages].count("tools/call") == 1


async def test_a_progress_token_of_any_length_works_on_its_stream_and_is_kept_nowhere() -> None:
    token = "x" * 5_000
    message = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}
    event = b"id: e-1\ndata: " + orjson.dumps(message) + b"\n\n"
    world = World(upstream=lambda _: FakeReply(event, media="sse"))
    got = await Browser(world).legacy("tools/call", {"name": "t", "_meta": {"progressToken": token}})
    assert got.events[0] == message
    assert len(got.body) < 2 * len(token)
    assert not world.pipeline.progress._unanswered


async def test_progress_passes_only_for_the_open_request() -> None:
    def progress(token: object) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}

    done: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}
    world = World(upstream=lambda _: sse(progress(5), progress("5"), progress(5.0), progress(6), progress(True), done))
    got = await Browser(world).legacy("tools/call", {"name": "t", "_meta": {"progressToken": 5}})
    tokens = [event.get("params", {}).get("progressToken") for event in got.events]
    assert (tokens, [type(token) for token in tokens[:3]]) == ([5, 5, 5, None], [int, int, int])


async def test_a_changed_list_is_forgotten() -> None:
    changed = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}

    def upstream(message: dict[str, Any]) -> FakeReply:
        result = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "done"}]}}
        return answer(message, tools=[]) if message["method"] == "tools/list" else sse(changed, result)

    world = World(upstream=upstream)
    await Browser(world).legacy("tools/call", {"name": "t"})
    assert world.definitions.forgotten == [("s", "notifications/tools/list_changed")]


async def test_an_update_of_a_hidden_resource_is_withheld() -> None:
    def updated(uri: str) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}

    world = World(upstream=lambda _: sse(updated("test://a"), updated("test://b")))
    world.policy.hidden = {"test://b"}
    got = await Browser(world).send(b"", ("accept", "text/event-stream"), verb="GET")
    assert [event["params"]["uri"] for event in got.events] == ["test://a"]


async def test_a_stream_over_the_limit_is_refused() -> None:
    world = World(upstream=lambda _: sse())
    got = await Browser(world, streams=0).send(b"", ("accept", "text/event-stream"), verb="GET")
    assert got.status == 429
    assert world.upstream.forwards == []


async def test_a_ping_passes_on_the_permit_of_an_earlier_message_only() -> None:
    world = World(upstream=answer)
    browser = Browser(world)
    await browser.legacy("tools/list")
    asked = len(world.policy.questions)
    got = await browser.legacy("ping")
    assert got.json["result"] == {}
    assert len(world.policy.questions) == asked
    world.pipeline.record_counts()
    assert [(counted.method, counted.count) for counted in world.journal.counts] == [("ping", 1)]
    world.policy.answer = _always(deny())
    world.policy.revision = "test@0123456789ab.2"
    refused = await browser.legacy("ping")
    assert "error" in refused.json


async def test_an_exception_in_the_endpoint_is_refused_without_a_traceback() -> None:
    def broken(_: PolicyInput) -> Decision:
        raise RuntimeError("secret detail")

    world = World(broken, called)
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert got.status == 500
    assert b"secret detail" not in got.body
    assert world.upstream.forwards == []


async def test_a_call_that_an_error_of_the_gateway_ends_is_not_recorded_as_answered() -> None:
    def broken(message: dict[str, Any]) -> FakeReply:
        if message["method"] == "tools/call":
            raise RuntimeError("secret detail")
        return called(message)

    world = World(upstream=broken)
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert got.status == 500
    ended = world.journal.completions[-1]
    assert (ended.outcome, "may have been executed" in ended.detail) == ("internal_failure", True)


async def test_modern_messages_have_no_session_and_no_stream() -> None:
    world = World(upstream=called)
    got = await Browser(world).send(b"", ("accept", "text/event-stream"), ("mcp-protocol-version", MODERN), verb="GET")
    assert got.status == 405


async def test_arguments_beyond_the_limit_are_refused() -> None:
    world = World(upstream=called)
    got = await Browser(world).legacy("tools/call", {"name": "t", "arguments": {"a": "x" * 6_000}})
    assert got.status == 200
    assert "the arguments have 6008 bytes" in got.json["result"]["content"][0]["text"]
    assert [message["method"] for message in world.upstream.messages] == ["tools/list"]


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
async def test_a_refused_stream_or_end_of_session_looks_like_a_server_that_has_none(verb: str) -> None:
    world = World(lambda _: deny())
    got = await Browser(world).send(b"", ("accept", "text/event-stream"), verb=verb)
    assert (got.status, got.headers["allow"]) == (405, "POST")
    assert world.upstream.forwards == []


async def test_a_second_result_type_never_reaches_the_client() -> None:
    raw = b'{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","content":[],"resultType":"complete"}}'
    got = await Browser(World(upstream=lambda _: FakeReply(raw))).modern("tools/call", {"name": "t"}, name="t")
    assert got.body.count(b"resultType") == 1
    assert got.json["result"]["resultType"] == "complete"


async def test_a_name_too_long_to_be_called_is_not_listed() -> None:
    world = World(upstream=lambda m: answer(m, tools=[{"name": "a" * 1025}, {"name": "b"}]))
    result = (await Browser(world).legacy("tools/list")).json["result"]
    assert [tool["name"] for tool in result["tools"]] == ["b"]


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_nothing_is_sent_for_a_client_that_left_during_the_decision(era: str) -> None:
    world = World(upstream=called)
    browser = Browser(world)
    await browser.legacy("tools/list")
    world.upstream.forwards.clear()
    meta: dict[str, Any] = {"io.modelcontextprotocol/protocolVersion": MODERN}
    meta["io.modelcontextprotocol/clientCapabilities"] = {}
    params = {"name": "t", **({"_meta": meta} if era == "modern" else {})}
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    gone: list[Message] = [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]
    modern = (("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", "t"))
    headers = modern if era == "modern" else (("mcp-protocol-version", "2025-11-25"),)
    await browser.send(b"", *JSON, *headers, events=gone)
    assert [message["method"] for message in world.upstream.messages if message["method"] == "tools/call"] == []
    assert world.journal.completions[-1].outcome == "client_gone"


async def test_tasks_that_may_not_be_read_are_not_listed() -> None:
    world = World(upstream=lambda m: answer(m, tasks=[{"taskId": "1"}, {"taskId": "2"}]))
    world.policy.hidden = {"2"}
    for upstream_id in ("1", "2"):
        world.pipeline.ownership.keep_task("s", CALLER.key, upstream_id)
    result = (await Browser(world).legacy("tasks/list")).json["result"]
    assert [task["taskId"] for task in result["tasks"]] == [task_text(world, "1")]
    assert world.policy.listings[0].items[0].target.type == "task"
