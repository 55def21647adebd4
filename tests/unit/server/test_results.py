"""Records of the results that clients get, and of their exchanges."""

from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.decision import Route
from gateway.admission.record import Completed, Decided, Refused
from gateway.admission.record_masking import digest
from gateway.admission.result_type import result_type
from gateway.listening.request_id import RequestId, note_request_id
from gateway.pipeline.ports import Media, UpstreamFailure
from tests.fakes import FakeReply, World, allow, deny
from tests.unit.server.client import Browser, Got

KEY: Final = b"k" * 32
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"


def text(*types: str) -> list[dict[str, str]]:
    return [{"type": each, "text": "x"} for each in types]


def response(result: dict[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result})


async def called(*pieces: bytes, media: Media = "json") -> tuple[Got, Completed]:
    world = World(upstream=lambda _: FakeReply(*pieces, media=media))
    return await Browser(world).legacy("tools/call", {"name": "t"}), world.journal.completions[-1]


RESULTS: Final[list[tuple[dict[str, Any], str, int]]] = [
    ({"content": text("text")}, "text", 1),
    ({"content": text("text", "text", "text")}, "text", 3),
    ({"content": text("text", "image")}, "mixed", 2),
    ({"content": text("<b>x</b>\n")}, "other", 1),
    ({"content": []}, "object", 0),
    ({"content": 7, "structuredContent": {}}, "object", 0),
    ({}, "object", 0),
]


@pytest.mark.parametrize(("result", "kind", "items"), RESULTS)
@pytest.mark.parametrize("media", ["json", "sse"])
async def test_a_result_is_recorded_by_type_number_and_digest(
    result: dict[str, Any], kind: str, items: int, media: Media
) -> None:
    body = response(result)
    got, done = await called(body if media == "json" else b"data: " + body + b"\n\n", media=media)
    assert done.result is not None
    assert (done.result.type, done.result.items, done.hidden) == (kind, items, 0)
    delivered = got.body if media == "json" else got.body.strip().removeprefix(b"data: ")
    assert done.result.digest == digest(KEY, delivered)


async def test_a_result_beyond_one_piece_is_digested_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.server.recipient._PIECE", 999)
    got, done = await called(response({"content": text("text") * 200}))
    assert len(got.body) > 5 * 999
    assert done.result is not None
    assert (done.result.digest, done.result.items) == (digest(KEY, got.body), 200)


@pytest.mark.parametrize(
    ("method", "result", "kind", "items"),
    [
        ("resources/read", {"contents": [{"uri": "a"}, {"uri": "b"}]}, "resource", 2),
        ("prompts/get", {"messages": [{"role": "user", "content": {"type": "text"}}]}, "text", 1),
    ],
)
def test_other_results_have_a_type_too(method: str, result: dict[str, Any], kind: str, items: int) -> None:
    assert result_type(result) == (kind, items), method


async def test_an_error_is_recorded_as_one() -> None:
    body = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"quota"}}'
    got, done = await called(body)
    assert done.result is not None
    assert (done.result.type, done.result.digest) == ("error", digest(KEY, got.body))


async def test_an_undelivered_answer_is_not_recorded_as_a_result() -> None:
    _, done = await called(b"<html>")
    assert (done.outcome, done.result) == ("upstream_broken", None)


async def test_the_shown_and_the_hidden_items_of_a_list_are_counted() -> None:
    tools = [{"name": f"t{n}", "inputSchema": {"type": "object"}} for n in range(100)]
    world = World(upstream=lambda _: FakeReply(response({"tools": tools})), result_bytes=100_000)
    world.policy.hidden = {f"t{n}" for n in range(10)}
    got = await Browser(world).legacy("tools/list", {})
    done = world.journal.completions[-1]
    assert done.result is not None
    assert (done.result.type, done.result.items, done.hidden) == ("list", len(got.json["result"]["tools"]), 10)
    assert done.result.digest == digest(KEY, got.body)


async def test_a_large_result_is_digested_as_it_passes() -> None:
    class Large(FakeReply):
        async def read(self, limit: int) -> bytes | UpstreamFailure:
            return UpstreamFailure(code="result_too_large", detail=str(limit))

    route = Route(url="http://u/mcp", large_results=True)
    pieces = b'{"jsonrpc":"2.0","id":1,"result":{"t":"', b"x" * 6000, b"x" * 6000, b'"}}'
    world = World(lambda _: allow(route), lambda _: Large(*pieces))
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    done = world.journal.completions[-1]
    assert done.result is not None
    assert (done.result.type, done.result.digest) == ("unread", digest(KEY, got.body))


VALUES: Final = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["type", "content", "x"]), inner),
)


@given(st.dictionaries(st.sampled_from(["content", "contents", "messages", "x"]), VALUES))
def test_no_word_of_a_server_becomes_a_type(result: dict[str, Any]) -> None:
    known = {"text", "image", "audio", "resource", "resource_link", "mixed", "other", "object"}
    assert result_type(result).type in known


async def exchanged(world: World, given: RequestId, body: dict[str, Any] | bytes, *headers: tuple[str, str]) -> Got:
    browser, endpoint = Browser(world), Browser(world).endpoint

    async def named(scope: Any, receive: Any, send: Any) -> None:
        note_request_id(scope, given)
        await endpoint(scope, receive, send)

    browser.endpoint = named  # pyright: ignore[reportAttributeAccessIssue]
    return await browser.send(body, *headers)


CALL: Final[dict[str, Any]] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t"}}
SENT: Final = (
    *(("content-type", "application/json"), ("accept", "application/json, text/event-stream")),
    *(("mcp-protocol-version", "2025-06-18"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")),
)


@pytest.mark.parametrize("given", [RequestId("mine-7", given=True), RequestId("abc-1")])
async def test_every_record_of_an_exchange_has_its_request_id(given: RequestId) -> None:
    for answer in (allow(), deny()):
        world = World(lambda _, answer=answer: answer, lambda _: FakeReply(response({"content": []})))
        call = {**CALL, "params": {"name": "t", "_meta": {"openai/session": "chat-7"}}}
        await exchanged(world, given, call, *SENT)
        assert {type(record) for record in world.journal.records} == {Decided}
        for said in (record.correlation for record in world.journal.records):
            assert (said.request_id, said.trace_id, said.conversation) == (given.text, TRACE, "chat-7")
            assert said.unverified == (*(["request_id"] if given.given else []), "trace_id", "conversation")
        assert {done.request_id for done in world.journal.completions} <= {given.text}
        assert bool(world.journal.completions) == (answer.outcome == "allow")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", {**CALL, "method": "x/y"}, {**CALL, "params": {"name": "t", "arguments": 1}}]
)
async def test_a_refusal_without_a_decision_has_the_request_id(body: Any) -> None:
    world = World()
    await exchanged(world, RequestId("mine-7", given=True), body, *SENT)
    (record,) = world.journal.records
    assert isinstance(record, Refused)
    assert (record.correlation.request_id, record.correlation.unverified[:1]) == ("mine-7", ("request_id",))
