"""JSON bodies that answer a request: the response in one of its forms, an error with any status, or neither."""

from typing import Any

import orjson
import pytest

from gateway.admission.decision import Decision
from gateway.admission.policy_input import PolicyInput
from gateway.pipeline.ports import Media
from gateway.protocol.errors import DECISION_KEY
from tests.fakes import FakeReply, World, allow, deny
from tests.unit.server.client import Browser, Got, task_text

RESULT = b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"n":1.50}}'
ERROR = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"quota","data":{"n":1.50}}}'
SESSION = ("mcp-session-id", "x")


async def called(reply: FakeReply, world: World | None = None) -> tuple[Got, World]:
    """Call a tool whose server sends this reply."""
    world = world or World()

    def answer(message: dict[str, Any]) -> FakeReply:
        return reply if message.get("method") == "tools/call" else FakeReply(b"")

    world.upstream.answer = answer
    return await Browser(world).legacy("tools/call", {"name": "t"}), world


@pytest.mark.parametrize(
    "body",
    [
        *(RESULT, b"[" + RESULT + b"]", b"\xef\xbb\xbf" + RESULT, b"\r\n " + RESULT + b"\n\n"),
        *(RESULT.replace(b'"id":1', b'"id":' + form) for form in (b'"1"', b'"1.0"', b"1.0", b"10e-1")),
        *(RESULT.replace(b'"id"', null + b',"id"') for null in (b'"error":null', b'"method":null,"params":null')),
    ],
)
async def test_a_response_that_can_be_read_in_one_way_only_is_delivered(body: bytes) -> None:
    got, world = await called(FakeReply(body))
    assert got.body.strip() == RESULT
    assert world.journal.completions[-1].outcome == "answered"


@pytest.mark.parametrize(
    "body",
    [
        *(b"{}", b"null", b"[]", b"1", b"ping", b"{", b"<html>", b"[" + RESULT + b"," + RESULT + b"]"),
        *(RESULT + b" x", RESULT.replace(b'"2.0"', b'"1.0"'), RESULT.replace(b'"jsonrpc":"2.0",', b"")),
        *(RESULT.replace(b'"id":1', b'"id":' + form) for form in (b"2", b'"2"', b"null", b"true", b"1.5", b'"01"')),
        *(ERROR.replace(b'"id":1', b'"id":' + form) for form in (b"2", b'"server-error"', b"true")),
        b'{"jsonrpc":"2.0","id":1,"result":{},"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":null}',
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}',
        b'{"jsonrpc":"2.0","id":1,"method":"roots/list"}',
    ],
)
async def test_any_other_body_is_a_failure_that_names_the_fault(body: bytes) -> None:
    got, world = await called(FakeReply(body))
    assert (got.status, got.json["id"], got.json["result"]["isError"]) == (200, 1, True)
    assert got.json["result"]["_meta"][DECISION_KEY]["code"] == "upstream_broken"
    assert world.journal.completions[-1].outcome == "upstream_broken"


@pytest.mark.parametrize(
    ("media", "word"),
    [("empty", "no response"), ("json", "no response"), ("charset", "UTF-8"), ("other", "neither JSON nor SSE")],
)
@pytest.mark.parametrize("status", [200, 202, 204])
async def test_an_empty_or_unreadable_answer_to_a_request_is_an_error(media: Media, word: str, status: int) -> None:
    got, world = await called(FakeReply(b" \n" if media == "json" else b"x", status=status, media=media))
    assert got.status == 200
    assert word in got.json["result"]["content"][0]["text"]
    assert world.journal.completions[-1].outcome == "upstream_broken"


@pytest.mark.parametrize("status", [200, 400, 403, 404, 409, 422, 429, 500, 502, 503])
@pytest.mark.parametrize("form", [b"1", b'"1"', b"null"])
async def test_an_error_that_answers_the_request_reaches_its_sender(status: int, form: bytes) -> None:
    headers = (("www-authenticate", "Bearer"), ("retry-after", "9"))
    reply = FakeReply(ERROR.replace(b'"id":1', b'"id":' + form), status=status, headers=headers[1:])
    got, world = await called(reply)
    assert (got.status, got.body, got.headers["retry-after"]) == (200, ERROR, "9")
    assert (world.journal.completions[-1].outcome, world.journal.completions[-1].status) == ("answered", status)


@pytest.mark.parametrize("status", [401, 407])
async def test_an_error_about_the_credential_of_the_gateway_is_not_shown(status: int) -> None:
    got, _ = await called(FakeReply(ERROR, status=status))
    assert got.json["result"]["isError"] is True
    assert b"quota" not in got.body


@pytest.mark.parametrize("body", [b"{}", b"", b"null", b"<html>", ERROR.replace(b'"id":1', b'"id":2'), RESULT])
@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_status_without_the_error_that_answers_keeps_its_meaning(body: bytes, status: int) -> None:
    got, _ = await called(FakeReply(body, status=status))
    assert got.status == status
    assert b"quota" not in got.body
    assert got.json["id"] is None
    assert "error" in got.json


@pytest.mark.parametrize("status", [400, 404, 406, 421, 422])
async def test_an_error_with_an_id_without_a_request_is_shown_without_the_id(status: int) -> None:
    got, _ = await called(FakeReply(ERROR.replace(b'"id":1', b'"id":"server-error"'), status=status))
    assert (got.status, got.body) == (status, ERROR.replace(b'"id":1', b'"id":null'))


@pytest.mark.parametrize("data", [{"url": "https://evil.example/", "mode": "url"}, {"elicitations": 7}])
async def test_an_error_with_an_id_without_a_request_cannot_ask_the_client(data: Any) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": "server-error", "error": {"code": -1, "message": "m", "data": data}})
    got, _ = await called(FakeReply(body, status=400))
    assert got.json["error"] == {"code": -32600, "message": "the server refused the message"}


@pytest.mark.parametrize("body", [b"{}", b"", b"null", ERROR.replace(b'"id":1', b'"id":2'), RESULT])
@pytest.mark.parametrize("status", [403, 500, 503])
async def test_a_failure_of_the_server_is_reported_as_one(body: bytes, status: int) -> None:
    got, world = await called(FakeReply(body, status=status))
    assert (got.status, got.json["result"]["isError"]) == (200, True)
    assert world.journal.completions[-1].outcome == "upstream_unavailable"


async def in_lost_session(body: bytes) -> Got:
    """Ask in a session that the server answers with HTTP 404 and a body."""

    def upstream(message: dict[str, Any]) -> FakeReply:
        if message.get("method") == "initialize":
            result: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
            opening = orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result})
            return FakeReply(opening, headers=(("mcp-session-id", "u"),))
        return FakeReply(body, status=404)

    browser = Browser(World(upstream=upstream))
    opened = await browser.legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    return await browser.legacy("tools/list", {}, ("mcp-session-id", opened.headers["mcp-session-id"]))


async def test_a_session_that_has_ended_is_reported_with_every_error() -> None:
    got = await in_lost_session(ERROR)
    assert (got.status, got.body) == (404, ERROR)


@pytest.mark.parametrize("body", [b"", b"Not Found: Session not found", b"<html>", ERROR.replace(b'"id":1', b'"id":2')])
async def test_a_session_that_is_gone_without_an_error_is_an_empty_answer(body: bytes) -> None:
    got = await in_lost_session(body)
    assert (got.status, got.body) == (404, b"")
    assert "content-type" not in got.headers


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("form", [b"1", b"null"])
async def test_a_modern_error_keeps_its_status(status: int, form: bytes) -> None:
    body = ERROR.replace(b'"id":1', b'"id":' + form)
    world = World(upstream=lambda _: FakeReply(body, status=status))
    got = await Browser(world).modern("server/discover")
    assert (got.status, got.body) == (status, body)


URL = {"mode": "url", "elicitationId": "e", "url": "https://evil.example/", "message": "sign in"}
ASKING: list[Any] = [
    {"elicitations": [URL]},
    {"elicitations": [{"mode": "form", "message": "?", "requestedSchema": {}}]},
    {"inputRequests": {"k": {"method": "elicitation/create", "params": URL}}},
    {"deep": [{"more": {"elicitations": [URL]}}]},
    URL,
    [URL],
    {"error": {"data": {"URL": "https://evil.example/", "Mode": "url"}}},
    {"Elicitations": [URL]},
    {"elicitation\u017f": [URL]},
    {"InputRequests": {"k": {"method": "elicitation/create", "params": URL}}},
    {"elicitations": [URL, 7]},
    {"elicitations": {"k": URL}},
    {"elicitations": [{**URL, "Url": "https://other.example/"}]},
    {"inputRequests": {"k": {"method": "roots/list", "Method": "elicitation/create", "params": URL}}},
]
BESIDE: list[Any] = [
    {"mode": "url", "url": "https://a.example/", "elicitations": [URL]},
    {"mode": "form", "url": "", "inputRequests": {"k": {"method": "elicitation/create", "params": URL}}},
    {"mode": "form", "url": "", "more": [{"deep": URL}]},
]
"""Requests of a server within another request."""


def agreeing(agreed: bool, reply: FakeReply | None = None) -> World:
    """Return a world whose policy agrees to what servers ask of clients, or does not."""

    def decide(question: PolicyInput) -> Decision:
        return allow() if agreed or question.phase != "server_request" else deny()

    return World(decide, lambda _: reply or FakeReply(b""))


@pytest.mark.parametrize("data", ASKING + BESIDE)
@pytest.mark.parametrize("code", [-32042, -32603])
@pytest.mark.parametrize("status", [200, 400, 403, 500])
@pytest.mark.parametrize("media", ["json", "sse"])
async def test_an_error_that_asks_the_client_for_something_is_judged(
    data: Any, code: int, status: int, media: Media
) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "m", "data": data}})
    reply = FakeReply(b"data: " + body + b"\n\n" if media == "sse" else body, status=status, media=media)
    got, _ = await called(reply, agreeing(agreed=False))
    assert b"evil" not in got.body
    assert got.status == (400 if (status, media) == (400, "sse") else 200)
    if status == 200:
        assert (got.events[0] if media == "sse" else got.json)["result"]["isError"] is True


@pytest.mark.parametrize("data", ASKING[:6])
async def test_an_error_that_asks_passes_if_policy_agrees(data: Any) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32042, "message": "m", "data": data}})
    got, world = await called(FakeReply(body), agreeing(agreed=True))
    assert got.body == body
    assert [q.message.method for q in world.policy.questions if q.phase == "server_request"] == ["elicitation/create"]


@pytest.mark.parametrize("data", ASKING[6:])
async def test_an_error_that_asks_in_two_ways_passes_under_no_policy(data: Any) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32042, "message": "m", "data": data}})
    got, _ = await called(FakeReply(body), agreeing(agreed=True))
    assert got.json["result"]["_meta"][DECISION_KEY]["code"] == "upstream_broken"


@pytest.mark.parametrize(
    "error",
    [
        b'{"code":-32042,"message":"m","data":{"elicitations":[{"url":"https://evil.example/"}]},"data":{}}',
        b'{"code":-32042,"message":"m","data":{"elicitations":[{"url":"https://evil.example/"}],"elicitations":[]}}',
        b'{"code":-32042,"message":"m","data":{},"Data":{"elicitations":[{"url":"https://evil.example/"}]}}',
    ],
)
async def test_an_error_that_some_readers_read_otherwise_does_not_pass_as_it_came(error: bytes) -> None:
    got, _ = await called(FakeReply(b'{"jsonrpc":"2.0","id":1,"error":' + error + b"}"), agreeing(agreed=True))
    assert b"evil" not in got.body


@pytest.mark.parametrize("data", [None, {}, [], "text", {"url": "https://a.example/"}, {"n": [1.5, {"mode": "url"}]}])
async def test_an_error_that_asks_nothing_travels_as_it_came(data: Any) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "m", "data": data}})
    got, world = await called(FakeReply(body), agreeing(agreed=False))
    assert got.body == body
    assert all(question.phase == "request" for question in world.policy.questions)


async def test_a_body_with_more_requests_than_anybody_asks_is_refused() -> None:
    data = {"elicitations": [URL] * 100}
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32042, "message": "m", "data": data}})
    got, world = await called(FakeReply(body), agreeing(agreed=True))
    assert got.json["result"]["isError"] is True
    assert all(question.phase == "request" for question in world.policy.questions)


@pytest.mark.parametrize("status", [400, 500])
async def test_an_error_without_an_id_shows_nothing_that_asks(status: int) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32042, "message": "m", "data": URL}})
    world = agreeing(agreed=False, reply=FakeReply(body, status=status))
    got = await Browser(world).modern("server/discover")
    assert b"evil" not in got.body


@pytest.mark.parametrize("data", BESIDE)
async def test_a_url_elicitation_is_judged_next_to_other_members(data: Any) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32042, "message": "m", "data": data}})
    _, world = await called(FakeReply(body), agreeing(agreed=True))
    asked = [question.arguments for question in world.policy.questions if question.phase == "server_request"]
    assert URL in asked


@pytest.mark.parametrize("key", ["Instructions", "PROTOCOLVERSION", "Ta\u017fk", "Tasks", "Capabilities"])
async def test_a_result_with_a_key_that_some_readers_take_for_a_judged_one_is_withheld(key: str) -> None:
    result: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}, key: "evil"}
    world = World(upstream=lambda _: FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result})))
    got = await Browser(world).legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    assert b"evil" not in got.body
    assert "some readers take for another one" in got.json["error"]["message"]


ASK = {"k": {"method": "elicitation/create", "params": URL}}


@pytest.mark.parametrize(
    "task",
    [
        {"taskId": "t", "inputRequests": ASK},
        {"taskId": "t", "result": {"inputRequests": ASK}},
        {"taskId": "t", "task": {"inputRequests": ASK}},
        {"taskId": "t", "result": {"InputRequests": ASK}},
        {"taskId": "t", "Result": {"inputRequests": ASK}},
        {"taskId": "t", "task": {"result": {"inputRequests": ASK}}},
        {"taskId": "t", "task": {"Error": {"code": -32042, "message": "m", "data": {"elicitations": [URL]}}}},
        {"taskId": "t", "error": {"code": -32042, "message": "m", "data": {"elicitations": [URL]}}},
    ],
)
@pytest.mark.parametrize("agreed", [True, False])
async def test_a_request_anywhere_in_a_task_is_judged(task: dict[str, Any], agreed: bool) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": task})
    world = agreeing(agreed, FakeReply(body))
    got = await Browser(world).legacy("tasks/get", {"taskId": task_text(world, "t")})
    passes = agreed and not any(key in str(task) for key in ("InputRequests", "Result", "Error"))
    assert (b"evil" in got.body) is passes
    news = {"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": {"status": "working", **task}}
    stream = FakeReply(b"data: " + orjson.dumps(news) + b"\n\n", media="sse")

    def streaming(_: dict[str, Any]) -> FakeReply:
        return stream

    world.upstream.answer = streaming
    streamed = await Browser(world).send(
        b"", ("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"), verb="GET"
    )
    assert (b"evil" in streamed.body) is passes


@pytest.mark.parametrize("result_type", ["other", "Complete", "", 7, None, ["input_required"]])
async def test_a_result_of_an_unknown_type_is_refused_in_the_modern_era(result_type: Any) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"resultType": result_type, "content": []}})
    got = await Browser(World(upstream=lambda _: FakeReply(body))).modern("tools/call", {"name": "t"}, name="t")
    assert got.json["result"]["isError"] is True


@pytest.mark.parametrize("asked", ["2024-11-05", "2025-06-18", "2025-11-25"])
@pytest.mark.parametrize(
    ("named", "passes"),
    [
        *(("2024-11-05", True), ("2025-06-18", True), ("2025-11-25", True)),
        *(("2026-07-28", False), ("2099-01-01", False), ("", False), (7, False), (None, False)),
    ],
)
async def test_a_session_has_only_a_revision_that_the_gateway_knows(asked: str, named: Any, passes: bool) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": named, "capabilities": {}}})
    world = World(upstream=lambda _: FakeReply(body, headers=(("mcp-session-id", "u"),)))
    got = await Browser(world).legacy("initialize", {"protocolVersion": asked, "capabilities": {}})
    assert ("result" in got.json, "mcp-session-id" in got.headers) == (passes, passes)


async def opened(browser: Browser) -> str:
    got = await browser.legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    return got.headers["mcp-session-id"]


async def test_a_session_id_that_a_server_changes_reaches_the_client_and_comes_back() -> None:
    ids = iter(["first", "second", "second", "third"])

    def upstream(message: dict[str, Any]) -> FakeReply:
        result: dict[str, Any] = {"protocolVersion": "2025-06-18", "capabilities": {}, "tools": []}
        body = orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
        return FakeReply(body, headers=(("mcp-session-id", next(ids)),))

    world = World(upstream=upstream)
    browser = Browser(world)
    first = await opened(browser)
    changed = (await browser.legacy("tools/list", {}, ("mcp-session-id", first))).headers["mcp-session-id"]
    same = (await browser.legacy("tools/list", {}, ("mcp-session-id", changed))).headers["mcp-session-id"]
    await browser.legacy("tools/list", {}, ("mcp-session-id", first))
    sent = [dict(forward.permit.outbound.headers).get("mcp-session-id") for forward in world.upstream.forwards]
    assert sent == [None, "first", "second", "first"]
    assert same == changed != first
    assert "second" not in changed
    elsewhere = await browser.send(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, ("mcp-session-id", changed), path="/servers/other/mcp"
    )
    assert elsewhere.status >= 400


async def test_a_server_without_sessions_may_send_an_id_with_any_answer() -> None:
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}
    world = World(upstream=lambda _: FakeReply(orjson.dumps(body), headers=(("mcp-session-id", "random"),)))
    browser = Browser(world)
    sealed = (await browser.legacy("tools/list")).headers["mcp-session-id"]
    assert (await browser.legacy("tools/list", {}, ("mcp-session-id", sealed))).status == 200
    assert ("mcp-session-id", "random") in world.upstream.forwards[-1].permit.outbound.headers


async def test_an_unknown_session_id_means_nothing_to_a_server_without_sessions() -> None:
    named = list[tuple[str, str]]()

    def upstream(message: dict[str, Any]) -> FakeReply:
        result: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}, "tools": []}
        return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), headers=(*named,))

    world = World(upstream=upstream)
    browser = Browser(world)
    assert (await browser.legacy("tools/list", {}, SESSION)).status == 404
    await browser.legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    assert (await browser.legacy("tools/list", {}, SESSION)).status == 200
    assert "mcp-session-id" not in dict(world.upstream.forwards[-1].permit.outbound.headers)
    named.append(("mcp-session-id", "u"))
    await browser.legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    assert (await browser.legacy("tools/list", {}, SESSION)).status == 404
