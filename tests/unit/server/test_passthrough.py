"""Results that are larger than the gateway reads, over scripted ports: relayed if the route allows it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from gateway.admission.decision import Route
from gateway.pipeline.ports import Media, UpstreamFailure
from tests.fakes import FakeReply, World, allow, deny
from tests.unit.server.client import Browser, Got, task_text

RESULT = b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"t":"'
END = b'"}}'
BIG = b"x" * 6_000
PIECES = (RESULT, BIG, BIG, END)
OPEN = Route(url="http://u/mcp", large_results=True)


class Large(FakeReply):
    """A reply that exceeds every limit."""

    async def read(self, limit: int) -> bytes | UpstreamFailure:
        return UpstreamFailure(code="result_too_large", detail=str(limit))


def world(*pieces: bytes, media: Media = "json", route: Route = OPEN) -> World:
    return World(lambda _: allow(route), lambda _: Large(*pieces, media=media))


async def called(world: World, method: str = "tools/call") -> Got:
    return await Browser(world).legacy(method, {"name": "t"} if method == "tools/call" else {})


def refused(got: Got, world: World, code: str = "result_too_large") -> bool:
    return (
        world.journal.completions[-1].outcome == code
        and not world.journal.completions[-1].unread
        and BIG not in got.body
    )


async def test_a_large_body_passes_unread_if_the_route_allows_it() -> None:
    gateway = world(*PIECES)
    got = await called(gateway)
    assert got.body == b"".join(PIECES)
    assert got.finished
    assert gateway.journal.completions[-1].unread is True


async def test_a_large_event_passes_unread_and_ends_the_answer() -> None:
    after = b'data: {"jsonrpc":"2.0","id":2,"result":{"s":"secret"}}\n\n'
    gateway = world(b"event: message\ndata: " + RESULT, BIG, BIG, END + b"\r", b"\n\r\n" + after, media="sse")
    got = await called(gateway)
    assert got.body == b"event: message\ndata: " + b"".join(PIECES) + b"\n\n"
    assert got.finished
    assert got.last_piece, "a client that leaves once it has the event has the end of the answer too"
    assert gateway.journal.completions[-1].unread is True
    assert gateway.journal.completions[-1].outcome == "answered"


@pytest.mark.parametrize("media", ["json", "sse"])
async def test_a_result_that_the_catalog_wants_checked_never_passes_unread(media: Media) -> None:
    pieces = PIECES if media == "json" else (b"data: ", *PIECES, b"\n\n")
    gateway = world(*pieces, media=media, route=Route(url="http://u/mcp", large_results=True, check_output=True))
    assert refused(await called(gateway), gateway)


@pytest.mark.parametrize("media", ["json", "sse"])
async def test_no_route_allows_it_by_itself(media: Media) -> None:
    pieces = PIECES if media == "json" else (b"data: ", *PIECES, b"\n\n")
    gateway = world(*pieces, media=media, route=Route(url="http://u/mcp"))
    assert refused(await called(gateway), gateway)


@pytest.mark.parametrize("media", ["json", "sse"])
@pytest.mark.parametrize(
    "beginning",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"t":"',
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{"t":"',
        b'{"jsonrpc":"2.0","id":2,"result":{"t":"',
        b'{"jsonrpc":"2.0","id":"1","result":{"t":"',
        b'{"jsonrpc":"2.0","id":1,"error":{"t":"',
        b'[{"jsonrpc":"2.0","id":1,"result":{"t":"',
        b" " * 5_000 + RESULT,
        b"",
    ],
)
async def test_a_body_that_does_not_begin_as_the_result_does_not_pass_unread(beginning: bytes, media: Media) -> None:
    pieces = (beginning, BIG, BIG, END)
    gateway = world(*(pieces if media == "json" else (b"data: ", *pieces, b"\n\n")), media=media)
    assert refused(await called(gateway), gateway)


async def test_a_large_event_does_not_pass_unread_before_its_result_has_begun() -> None:
    gateway = world(b"event: " + b"x" * 9_990 + b"\ndata", b": ", RESULT, BIG, END, b"\n\n", media="sse")
    assert refused(await called(gateway), gateway)


@pytest.mark.parametrize("media", ["json", "sse"])
async def test_a_list_is_never_passed_unread(media: Media) -> None:
    gateway = world(*(PIECES if media == "json" else (b"data: ", *PIECES, b"\n\n")), media=media)
    assert refused(await called(gateway, "tools/list"), gateway)


CLOSED = Route(url="http://u/mcp")
CHECKED = Route(url="http://u/mcp", check_output=True)


@pytest.mark.parametrize("media", ["json", "sse"])
@pytest.mark.parametrize(
    ("route", "method", "helps", "useless"),
    [
        (CLOSED, "tools/call", b"large_results", b"result_bytes"),
        (CHECKED, "tools/call", b"result_bytes", b"large_results"),
        (CLOSED, "tools/list", b"result_bytes", b"large_results"),
        (OPEN, "tools/list", b"result_bytes", b"large_results"),
    ],
)
async def test_the_refusal_of_a_large_result_names_the_setting_that_helps(
    route: Route, method: str, helps: bytes, useless: bytes, media: Media
) -> None:
    pieces = PIECES if media == "json" else (b"data: ", *PIECES, b"\n\n")
    got = await called(world(*pieces, media=media, route=route), method)
    assert helps in got.body
    assert useless not in got.body


@pytest.mark.parametrize("media", ["json", "sse"])
async def test_a_result_that_begins_a_connection_never_passes_unread(media: Media) -> None:
    gateway = world(*(PIECES if media == "json" else (b"data: ", *PIECES, b"\n\n")), media=media)
    params: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
    got = await Browser(gateway).legacy("initialize", params)
    assert gateway.journal.completions[-1].outcome == "result_too_large"
    assert BIG not in got.body
    gateway = world(*PIECES)
    assert refused(await Browser(gateway).modern("server/discover"), gateway)


async def read(*pieces: bytes, media: Media) -> Got:
    """Read a resource in the modern era, with a result in these pieces."""
    whole = pieces if media == "json" else (b"data: ", *pieces, b"\n\n")
    return await Browser(world(*whole, media=media)).modern("resources/read", {"uri": "file:///a"}, name="file:///a")


TEXT: Final = b'"contents":[{"uri":"file:///a","text":"\\"cacheScope\\":\\"public\\" ' + BIG + BIG + b'"}]'


@pytest.mark.parametrize("media", ["json", "sse"])
@pytest.mark.parametrize("cut", [0, 1, 9, 15, 20, 26])
async def test_shared_caches_do_not_keep_unread_results(media: Media, cut: int) -> None:
    scope = b'"cacheScope": "public",'
    beginning = b'{"jsonrpc":"2.0","id":1,"result":{' + scope[:cut]
    got = await read(beginning, scope[cut:] + TEXT + b"," + scope[:cut], scope[cut:] + b'"ttlMs":9}}', media=media)
    assert {"private", "no-store"} <= set(got.headers["cache-control"].split(", "))
    result = (got.json if media == "json" else got.events[0])["result"]
    assert result["cacheScope"] == "private"
    assert got.body.count(b'"public"') == 0
    assert result["contents"][0]["text"] == '"cacheScope":"public" ' + 2 * BIG.decode(), "content is not changed"


async def test_no_byte_of_a_result_without_a_scope_is_lost() -> None:
    pieces = (b'{"jsonrpc":"2.0","id":1,"result":{', TEXT, b',"cacheScope":"pub', b'lish"}', b"}")
    assert (await read(*pieces, media="json")).body == b"".join(pieces)


async def test_a_call_that_says_so_in_its_own_content_is_not_changed() -> None:
    pieces = (RESULT, BIG, BIG, b'","structuredContent":{"cacheScope":"public"}}}')
    gateway = world(*pieces)
    assert (await Browser(gateway).modern("tools/call", {"name": "t"}, name="t")).body == b"".join(pieces)


ASKS: Final = b'","inputRequests":{"k":{"method":"sampling/createMessage","params":{}}}}}'
ESCAPED: Final = ASKS.replace(b"input", b"\\u0069n\\u0050ut").replace(b"Reque", b"\\u0052eque")


async def asked(*pieces: bytes, media: Media, method: str = "tools/call") -> tuple[Got, World]:
    """Call a tool, or send another request, in the modern era, with a result in these pieces."""
    gateway = world(*(pieces if media == "json" else (b"data: ", *pieces, b"\n\n")), media=media)
    name = "file:///a" if method == "resources/read" else "t" if method == "tools/call" else ""
    params = {"uri": name, "name": name, "taskId": task_text(gateway, "t")}
    return await Browser(gateway).modern(method, params, name=name), gateway


@pytest.mark.parametrize("media", ["json", "sse"])
@pytest.mark.parametrize("key", [ASKS, ESCAPED])
@pytest.mark.parametrize("cut", [1, 3, 4, 9, 14, 16, 19])
@pytest.mark.parametrize("method", ["tools/call", "resources/read", "tasks/get"])
async def test_a_large_result_that_asks_the_client_for_something_is_cut_before_it_does(
    media: Media, key: bytes, cut: int, method: str
) -> None:
    got, gateway = await asked(RESULT, BIG, BIG, key[:cut], key[cut:], media=media, method=method)
    ended = gateway.journal.completions[-1]
    assert (ended.outcome, ended.unread) == ("unread_input_request", True)
    assert "inputRequests" in ended.detail
    assert not got.finished
    assert BIG in got.body
    assert b"createMessage" not in got.body
    assert b'Requests"' not in got.body


@pytest.mark.parametrize("media", ["json", "sse"])
async def test_a_result_that_asks_in_its_first_bytes_gives_an_error_that_names_it(media: Media) -> None:
    got, gateway = await asked(RESULT + ASKS[:-2] + b',"t":"', BIG, BIG, END, media=media)
    assert got.finished
    assert refused(got, gateway, "unread_input_request")
    message = got.json if media == "json" else got.events[-1]
    assert "inputRequests" in message["result"]["content"][0]["text"]


async def test_a_key_over_two_lines_of_an_event_is_found_too() -> None:
    got, gateway = await asked(RESULT, BIG, BIG, b'","inp\ndata: utReq\nda', b'ta:uests":{}}}', media="sse")
    assert gateway.journal.completions[-1].outcome == "unread_input_request"
    assert b"uests" not in got.body


@pytest.mark.parametrize("media", ["json", "sse"])
async def test_content_that_only_speaks_of_it_passes(media: Media) -> None:
    pieces = (RESULT, BIG, BIG, rb" \"inputRequests\": no key, \\", b'"}}')
    got, gateway = await asked(*pieces, media=media)
    assert got.finished
    assert b"".join(pieces) in got.body
    assert gateway.journal.completions[-1].outcome == "answered"


@pytest.mark.parametrize("media", ["json", "sse"])
async def test_a_legacy_result_has_no_such_key_and_passes(media: Media) -> None:
    gateway = world(*((b"data: ",) if media == "sse" else ()), RESULT, BIG, BIG, ASKS, b"\n\n", media=media)
    assert (await called(gateway)).finished
    assert gateway.journal.completions[-1].outcome == "answered"


BESIDE: Final = {
    "a method": b',"method":"sampling/createMessage","params":{"messages":[]}}',
    "an escaped method": b',"\\u006dethod":"sampling/createMessage"}',
    "another id": b',"id":7,"result":{"tools":[{"name":"createMessage"}]}}',
    "another id alone": b',"id":7}',
    "the id as a text": b',"id":"1","x":"createMessage"}',
    "another result": b',"result":{"tools":[{"name":"createMessage"}]}}',
    "an error": b',"error":{"code":1,"message":"createMessage"}}',
    "another message": b'}{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage"}',
    "a long one": b',"x":"' + BIG + b'","method":"sampling/createMessage"}',
}


@pytest.mark.parametrize("media", ["json", "sse"])
@pytest.mark.parametrize("beside", BESIDE)
async def test_members_next_to_a_large_result_do_not_change_the_kind_of_message(media: Media, beside: str) -> None:
    pieces = (RESULT, BIG, BIG, b'"}', BESIDE[beside])
    gateway = world(*(pieces if media == "json" else (b"data: ", *pieces, b"\n\n")), media=media)
    got = await called(gateway)
    assert not got.finished
    assert b"createMessage" not in got.body
    assert (gateway.journal.completions[-1].outcome, gateway.journal.completions[-1].unread) == (
        "upstream_broken",
        True,
    )
    assert "plain response" in gateway.journal.completions[-1].detail


@pytest.mark.parametrize("media", ["json", "sse"])
@pytest.mark.parametrize("beside", BESIDE)
async def test_an_event_held_whole_is_refused_for_members_next_to_its_result(media: Media, beside: str) -> None:
    whole = RESULT + BIG + BIG + b'"}' + BESIDE[beside]
    gateway = world(whole if media == "json" else b"data: " + whole + b"\n\n", media=media)
    got = await called(gateway)
    assert got.finished
    assert refused(got, gateway)


@pytest.mark.parametrize("media", ["json", "sse"])
@pytest.mark.parametrize("after", [b',"jsonrpc":"2.0","id":1}', b' , "id" : 1 , "jsonrpc" : "2.0" } ', b" }\t "])
async def test_members_of_a_response_may_follow_its_result(media: Media, after: bytes) -> None:
    for cut in range(len(after)):
        pieces = (b'{"result":' + RESULT.partition(b'"result":')[2], BIG, BIG, b'"}', after[:cut], after[cut:])
        gateway = world(*(pieces if media == "json" else (b"data: ", *pieces, b"\n\n")), media=media)
        got = await called(gateway)
        assert got.finished
        assert gateway.journal.completions[-1].outcome == "answered"


@pytest.mark.parametrize("media", ["json", "sse"])
async def test_a_large_result_without_an_end_is_broken_off(media: Media) -> None:
    pieces = (RESULT, BIG, BIG, b'"}')
    gateway = world(*(pieces if media == "json" else (b"data: ", *pieces, b"\n\n")), media=media)
    assert not (await called(gateway)).finished
    assert gateway.journal.completions[-1].outcome == "upstream_broken"


async def test_a_large_body_is_broken_off_when_the_worker_ends() -> None:
    class Unfinished(Large):
        async def chunks(self) -> AsyncIterator[bytes | UpstreamFailure]:
            for piece in self.pieces:
                yield piece
            await asyncio.Event().wait()

    browser = Browser(World(lambda _: allow(OPEN), lambda _: Unfinished(RESULT, BIG, media="json")))
    calling = asyncio.create_task(browser.legacy("tools/call", {"name": "t"}))
    while BIG not in browser.got.body:
        await asyncio.sleep(0)  # noqa: TID251 - until the client has a part of the body
    calling.cancel()
    got = await calling
    assert not got.finished
    assert got.body == RESULT + BIG


async def test_a_legacy_request_before_a_large_event_is_judged_and_nothing_follows() -> None:
    ask = b'data: {"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"messages":[]}}\n\n'
    pieces = (ask, b"data: " + RESULT, BIG, BIG, END + b"\n\n" + ask)
    judging = World(
        lambda q: deny() if q.phase == "server_request" else allow(OPEN), lambda _: Large(*pieces, media="sse")
    )
    got = await called(judging)
    assert b"createMessage" not in got.body
    assert b"".join(PIECES) in got.body
    assert [question.phase for question in judging.policy.questions].count("server_request") == 1
    assert (await called(world(*pieces, media="sse"))).body.count(b"createMessage") == 1


@pytest.mark.parametrize("tail", [(), (b"\nid: 7\n", b"data: x\n\n"), (b"\ndata: y",)])
async def test_an_event_that_breaks_off_or_breaks_its_form_is_broken_off_for_the_client(
    tail: tuple[bytes, ...],
) -> None:
    gateway = world(b"data: " + RESULT, BIG, BIG, *tail, media="sse")
    got = await called(gateway)
    assert not got.finished
    assert b"upstream_broken" not in got.body
    assert b"id: 7" not in got.body
    assert (gateway.journal.completions[-1].outcome, gateway.journal.completions[-1].unread) == (
        "upstream_broken",
        True,
    )


async def test_a_body_that_ends_in_its_first_bytes_is_not_an_answer() -> None:
    broken = UpstreamFailure(code="upstream_broken", detail="cut")
    gateway = World(lambda _: allow(OPEN), lambda _: Large(RESULT, failure=broken))
    got = await called(gateway)
    assert RESULT not in got.body
    assert got.json["result"]["isError"] is True
    assert refused(got, gateway, "upstream_broken")


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}',
        b'{"jsonrpc":"2.0","m\\u0065thod":"notifications/message","params":{}}',
        b'{"jsonrpc":"2.0","id":5,"method":"roots/list"}',
    ],
)
async def test_a_body_that_is_another_message_answers_nothing(body: bytes) -> None:
    gateway: Any = World(upstream=lambda _: FakeReply(body))
    got = await called(gateway)
    assert (got.json["id"], got.json["result"]["isError"]) == (1, True)
    assert gateway.journal.completions[-1].outcome == "upstream_broken"
