"""Relay of a server's events to a client: its messages, one response, and nothing after it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from gateway.admission.action import Forward
from gateway.pipeline.ports import UpstreamFailure
from gateway.server import relay_events
from tests.fakes import FakeReply, World, allow, deny
from tests.unit.server.client import Browser, Got

DONE: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "done"}]}}
NOTE: dict[str, Any] = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
OPENING = (("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"))


def data(*messages: bytes | dict[str, Any]) -> bytes:
    """Return events with these data."""
    raws = (each if isinstance(each, bytes) else orjson.dumps(each) for each in messages)
    return b"".join(b"data: " + raw + b"\n\n" for raw in raws)


class Forever(FakeReply):
    """A stream that stays open after its pieces."""

    async def chunks(self) -> AsyncIterator[bytes | UpstreamFailure]:
        for piece in self.pieces:
            yield piece
        await asyncio.Event().wait()


async def called(*pieces: bytes, world: World | None = None, **params: Any) -> tuple[Got, World]:
    """Call a tool whose server sends these pieces and keeps the stream open."""

    def answer(message: dict[str, Any]) -> FakeReply:
        return Forever(*pieces, media="sse") if message.get("method") == "tools/call" else FakeReply(b"")

    world = world or World()
    world.upstream.answer = answer
    async with asyncio.timeout(20):
        return await Browser(world).legacy("tools/call", {"name": "t", **params}), world


NOT_MESSAGES = [
    b'{"type":"heartbeat"}',
    *(b"ping", b"[]", b"null", b"1", b'"x"', b"{}", b"{", b"\xff", b"[null]"),
    orjson.dumps(DONE) + b" trailing",
    b'{"jsonrpc":"1.0","id":1,"result":{"content":[]}}',
    b'{"id":1,"result":{"content":[]}}',
    b'{"jsonrpc":"2.0","id":1}',
    b'{"jsonrpc":"2.0","id":2,"result":{"secret":1}}',
    b'{"jsonrpc":"2.0","id":"2","result":{"secret":1}}',
    b'{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"secret"}}',
    b'{"jsonrpc":"2.0","error":{"code":-1,"message":"secret"}}',
    b'{"jsonrpc":"2.0","id":2,"id":2,"result":{"secret":1}}',
    b"[" + orjson.dumps(DONE) + b"]",
    b'{"jsonrpc":"2.0","method":"secret/unknown","params":{}}',
    b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"secret","progress":1}}',
    b'{"jsonrpc":"2.0","method":"notifications/message","params":[]}',
]


@pytest.mark.parametrize("odd", NOT_MESSAGES)
async def test_a_message_for_another_request_is_withheld_and_counted(odd: bytes) -> None:
    got, world = await called(data(odd, NOTE, odd, DONE, odd, DONE))
    assert got.events == [NOTE, DONE]
    assert got.finished
    ended = world.journal.completions[-1]
    assert (ended.outcome, ended.withheld, ended.detail != "") == ("answered", 2, True)


async def test_the_stream_ends_in_the_piece_that_holds_the_response() -> None:
    """A client that leaves once it has its response would count as gone if the end came later."""
    got, world = await called(data(DONE, NOTE))
    assert (got.events, got.pieces, got.finished) == ([DONE], 1, True)
    assert world.journal.completions[-1].outcome == "answered"


@pytest.mark.parametrize("kind", [b"ping", b"endpoint", b"Message", b"error", b"message2"])
async def test_an_event_of_a_type_that_clients_pass_over_is_withheld(kind: bytes) -> None:
    got, world = await called(b"event: " + kind + b"\n" + data(DONE) + b"event: message\n" + data(DONE))
    assert got.events == [DONE]
    assert world.journal.completions[-1].withheld == 1


@pytest.mark.parametrize(
    "unusable",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{"content":[]},"result":{"content":[]}}',
        b'{"jsonrpc":"2.0","id":1,"id":1,"result":{"content":[]}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"content":[]},"error":{"code":1,"message":"x"}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"content":[]},"Result":{}}',
        b'{"jsonrpc":"2.0","id":"1","result":"done"}',
        b'{"jsonrpc":"2.0","id":1.0,"result":[]}',
        b'{"jsonrpc":"2.0","id":1,"result":null}',
        b'{"jsonrpc":"2.0","id":1,"error":"failed"}',
    ],
)
async def test_a_response_that_cannot_be_used_ends_the_request(unusable: bytes) -> None:
    got, world = await called(data(NOTE, unusable, DONE))
    assert [event.get("id") for event in got.events] == [None, 1]
    assert got.events[1]["result"]["isError"] is True
    assert got.finished
    assert world.journal.completions[-1].outcome == "upstream_broken"


@pytest.mark.parametrize("form", [b'"1"', b'"1.0"', b"1.0", b"1e0"])
async def test_an_id_in_another_form_is_delivered_as_the_client_wrote_it(form: bytes) -> None:
    raw = b'{"jsonrpc":"2.0","id":' + form + b',"result":{"content":[],"n":1.50}}'
    got, _ = await called(data(raw))
    assert got.body == data(raw.replace(b'"id":' + form, b'"id":1'))


async def test_after_the_response_the_stream_ends_and_nothing_is_recorded_as_late() -> None:
    late = UpstreamFailure(code="upstream_timeout", detail="silent")
    reply = FakeReply(data(DONE), data(NOTE), media="sse", failure=late)
    world = World(upstream=lambda _: reply)
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert (got.events, got.finished, reply.closed) == ([DONE], True, True)
    assert world.journal.completions[-1].outcome == "answered"


async def test_a_stream_with_thousands_of_bad_events_fails() -> None:
    got, world = await called(data(*[b"x"] * 13_000, DONE))
    assert got.events == [DONE]
    assert world.journal.completions[-1].withheld == 13_000


@pytest.mark.parametrize("piece", [b"id:1\n\n", b"data:x\n\n", b"event:ping\ndata:{}\n\n"])
async def test_the_loop_serves_others_while_a_chunk_is_read(piece: bytes) -> None:
    turns, loop, over = 0, asyncio.get_running_loop(), False

    def count() -> None:
        nonlocal turns
        turns += 1
        if not over:
            loop.call_soon(count)

    count()
    await called(data(NOTE) + piece * (260_000 // len(piece)) + b"\n\n" + data(DONE))
    over = True
    assert turns > 25


async def test_the_failure_of_a_stream_without_a_response_names_the_withheld_messages() -> None:
    world = World(upstream=lambda _: FakeReply(data(b'{"id":1,"result":{}}'), media="sse"))
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    text = got.events[-1]["result"]["content"][0]["text"]
    assert "without a response" in text
    assert "jsonrpc" in text


async def test_events_beyond_the_limit_end_the_exchange_with_the_reason() -> None:
    got, world = await called(data(*[b"x"] * 60_000, DONE))
    assert len(got.events) == 1
    assert "too much" in got.events[0]["result"]["content"][0]["text"]
    assert world.journal.completions[-1].outcome == "upstream_broken"


@pytest.mark.parametrize(("count", "ends"), [(10, False), (11, True)])
async def test_events_that_reach_the_client_are_limited_too(count: int, ends: bool) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
    world = World(upstream=lambda _: FakeReply(data(*[note] * count, DONE), media="sse"))
    got = await Browser(world, relayed=10).legacy("tools/call", {"name": "t"})
    assert ("more than 10 events" in got.events[-1]["result"]["content"][0]["text"]) == ends
    assert (world.journal.completions[-1].outcome == "upstream_broken") == ends


async def test_of_empty_events_only_the_last_id_travels() -> None:
    many = b"".join(b"id: %d\n\n" % number for number in range(5_000))
    got, world = await called(many + b"retry: 7\n\n" + data(NOTE), many, data(DONE))
    assert got.events == [NOTE, DONE]
    assert got.body.count(b"\nid: ") + got.body.startswith(b"id: ") == 2
    assert got.body.count(b"retry: 7\n") == 1
    assert len(got.body) < 5_000
    assert world.journal.completions[-1].outcome == "answered"


async def test_ids_that_grow_beyond_all_proportion_end_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_events, "GROWTH_FREE", 10_000)
    got, world = await called(*[b"id:1\n\n"] * 2_000)
    assert "too much" in got.events[-1]["result"]["content"][0]["text"]
    assert len(got.body) < 100_000
    assert world.journal.completions[-1].outcome == "upstream_broken"


async def test_the_id_of_a_withheld_event_travels_without_its_data() -> None:
    got, _ = await called(b"id: 1\nevent: ping\n" + data(b"{}") + data(DONE))
    assert b"ping" not in got.body
    assert got.body.startswith(b"id: ")
    assert got.events == [DONE]


async def test_comments_of_a_server_become_no_flood() -> None:
    got, _ = await called(b":\n" * 130_000, b": x\n\n" * 40_000, data(DONE))
    assert got.body == data(DONE)


@pytest.mark.parametrize("kind", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("space", ["", " "])
async def test_lines_may_end_and_fields_may_be_spaced_as_the_standard_says(kind: str, space: str) -> None:
    lines = [f"id:{space}\u00e9 x", f"data:{space}{orjson.dumps(DONE).decode()}", f"retry:{space}9", "", ""]
    raw = kind.join(lines).encode()
    got, _ = await called(*(raw[at : at + 1] for at in range(len(raw))))
    assert got.events == [DONE]


async def test_a_response_on_a_standing_stream_is_withheld_in_every_form() -> None:
    forms = (DONE, {**DONE, "id": "1"}, {**DONE, "id": 1.0})
    world = World(upstream=lambda _: FakeReply(data(*forms, NOTE), media="sse"))
    got = await Browser(world).send(b"", *OPENING, verb="GET")
    assert got.events == [NOTE]
    assert world.journal.completions[-1].withheld == 3


async def resumed(*pieces: bytes) -> Got:
    """Resume the stream of a call, and get these pieces."""
    world = World(upstream=lambda _: FakeReply(b"id: 5\ndata:\n\n", media="sse"))
    browser = Browser(world)
    first = await browser.legacy("tools/call", {"name": "t"})
    event = first.body.partition(b"id: ")[2].partition(b"\n")[0].decode()

    def answer(_: dict[str, Any]) -> FakeReply:
        return FakeReply(*pieces, media="sse")

    world.upstream.answer = answer
    return await browser.send(b"", *OPENING, ("last-event-id", event), verb="GET")


async def test_a_resumed_stream_brings_the_response_once_and_only_under_its_own_id() -> None:
    other = {**DONE, "id": "1"}
    got = await resumed(data(other, DONE, NOTE, DONE, NOTE))
    assert got.events == [DONE, NOTE, NOTE]


async def test_a_refused_response_on_a_resumed_stream_answers_its_request() -> None:
    got = await resumed(data(b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}'))
    assert (got.events[0]["id"], got.events[0]["error"]["data"]["reason"]) == (1, "upstream_broken")


async def test_a_resumed_stream_reports_progress_of_its_request_on_any_worker() -> None:
    def progress(token: object) -> dict[str, Any]:
        params = {"progressToken": token, "progress": 1}
        return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}

    first = World(upstream=lambda _: FakeReply(b"id: 5\ndata:\n\n", media="sse"))
    begun = await Browser(first).legacy("tools/call", {"name": "t", "_meta": {"progressToken": "own"}})
    event = begun.body.partition(b"id: ")[2].partition(b"\n")[0].decode()
    events = data(progress("own"), progress("other"), DONE)
    other = World(upstream=lambda _: FakeReply(events, media="sse"))
    got = await Browser(other).send(b"", *OPENING, ("last-event-id", event), verb="GET")
    assert got.events == [progress("own"), DONE]


async def test_progress_on_a_standing_stream_is_for_open_requests_of_the_session() -> None:
    def progress(token: object) -> dict[str, Any]:
        params = {"progressToken": token, "progress": 1}
        return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}

    opened, ended = asyncio.Event(), asyncio.Event()

    class Working(FakeReply):
        async def chunks(self) -> AsyncIterator[bytes | UpstreamFailure]:
            opened.set()
            await ended.wait()
            yield data(DONE)

    def upstream(message: dict[str, Any]) -> FakeReply:
        if message.get("method") == "tools/call":
            return Working(media="sse")
        return FakeReply(data(progress("own"), progress("other"), progress(7)), media="sse")

    browser = Browser(World(upstream=upstream))
    call = asyncio.create_task(browser.legacy("tools/call", {"name": "t", "_meta": {"progressToken": "own"}}))
    await opened.wait()
    during = await browser.send(b"", *OPENING, verb="GET")
    ended.set()
    await call
    after = await browser.send(b"", *OPENING, verb="GET")
    assert [event["params"]["progressToken"] for event in during.events] == ["own"]
    assert after.events == []


async def test_a_stream_has_a_head_before_the_server_gives_one() -> None:
    world = World()
    head = asyncio.Event()

    async def late(forward: Forward) -> FakeReply:
        assert forward.permit.outbound.verb == "GET"
        await head.wait()
        return FakeReply(data(NOTE), media="sse")

    world.upstream.send = late
    browser = Browser(world, head_s=0.01)
    opening = asyncio.create_task(browser.send(b"", *OPENING, verb="GET"))
    while not browser.got.status:
        await asyncio.wait({opening}, timeout=0.01)
    head.set()
    got = await opening
    assert (got.status, got.headers["content-type"], got.events) == (200, "text/event-stream", [NOTE])


@pytest.mark.parametrize("status", [200, 404, 405, 500])
async def test_a_late_head_that_is_not_a_stream_ends_the_clients_stream(status: int) -> None:
    world = World()

    async def late(forward: Forward) -> FakeReply:
        assert forward.permit.outbound.verb == "GET"
        await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=0.05)
        return FakeReply(b"{}", status=status)

    world.upstream.send = late
    got = await Browser(world, head_s=0.01).send(b"", *OPENING, verb="GET")
    assert (got.status, got.events, got.finished) == (200, [], True)


@pytest.mark.parametrize("refused", [True, False])
async def test_a_servers_request_is_judged_before_the_response_and_dropped_after_it(refused: bool) -> None:
    ask = {"jsonrpc": "2.0", "id": 9, "method": "sampling/createMessage", "params": {"maxTokens": 1}}
    world = World(lambda q: deny() if q.phase == "server_request" and refused else allow())
    got, _ = await called(data(ask, DONE, ask), world=world)
    assert [event.get("method") for event in got.events] == [*([] if refused else ["sampling/createMessage"]), None]
