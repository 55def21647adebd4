"""The upstream client: sent requests, returned replies, and the name of each failure."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.action import Admit, Forward, Outbound, permit
from gateway.admission.decision import Credential, Route
from gateway.admission.record import Receipt
from gateway.pipeline.ports import UpstreamFailure
from gateway.secrets import Secret
from gateway.upstream import HttpUpstream, reach
from gateway.upstream.failures import unavailable
from gateway.upstream.headers import coming, going
from gateway.upstream.reply import HttpReply
from tests.servers.scripted import (
    Do,
    Script,
    Scripted,
    answer,
    chunk,
    events,
    garbage,
    half_event,
    hang,
    huge,
    redirect,
    reset,
    scripted,
    unauthorized,
    whole,
)

BODY = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}'


class FakeSecrets:
    """Holds one credential, for all callers."""

    def header(self, credential: Credential, *, server: str, subject: str) -> Secret | UpstreamFailure:
        if credential.name == "none":
            return UpstreamFailure(code="credential_missing", detail="supply it")
        return Secret("Authorization", f"Bearer {credential.name}/{server}/{subject}")


@pytest.fixture
async def upstream() -> AsyncGenerator[HttpUpstream]:
    async with reach(FakeSecrets()) as opened:
        yield opened


@pytest.fixture
async def server() -> AsyncGenerator[Scripted]:
    async with scripted() as running:
        yield running


def forward(url: str, *, timeout_s: float = 5, credential: Credential | None = None, **outbound: Any) -> Forward:
    fields: dict[str, Any] = {"verb": "POST", "server": "files", "headers": (), "body": BODY, **outbound}
    route = Route(url=url, timeout_s=timeout_s, credential=credential)
    return permit(Admit(route=route, outbound=Outbound(**fields)), Receipt(writer="w", sequence=1))


async def replied(upstream: HttpUpstream, permitted: Forward) -> HttpReply:
    reply = await upstream.send(permitted)
    assert isinstance(reply, HttpReply), reply
    return reply


async def failed(upstream: HttpUpstream, permitted: Forward) -> UpstreamFailure:
    reply = await upstream.send(permitted)
    assert isinstance(reply, UpstreamFailure)
    return reply


async def test_the_bytes_of_the_permit_arrive_and_the_answer_comes_back(
    upstream: HttpUpstream, server: Scripted
) -> None:
    server.script = answer({"tools": []})
    reply = await replied(upstream, forward(server.url))
    assert (reply.status, reply.media) == (200, "json")
    assert await reply.read(1000) == b'{"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}'
    assert [(got.verb, got.path, got.body) for got in server.received] == [("POST", "/mcp", BODY)]


async def test_only_listed_headers_travel(upstream: HttpUpstream, server: Scripted) -> None:
    listed = {
        "accept": "application/json",
        "content-type": "application/json",
        "mcp-session-id": "s",
        "mcp-param-x": "1",
    }
    refused = {
        "authorization": "Bearer client",
        "cookie": "a=b",
        "origin": "https://evil.example",
        "x-forwarded-for": "1.2.3.4",
        "host": "evil.example",
        "proxy-authorization": "x",
        "connection": "upgrade",
        "transfer-encoding": "chunked",
        "mcp-name": "a\r\nx-injected: 1",
        "mcp-method": "ü",
    }
    reply = await replied(upstream, forward(server.url, headers=tuple((listed | refused).items())))
    await reply.read(1000)
    names = {name for name, _ in server.received[0].headers}
    assert names == {*listed, "host", "content-length", "accept-encoding", "user-agent"}
    assert server.received[0].header("host") == server.url.split("/")[2]
    assert server.received[0].header("accept-encoding") == "identity"


@given(st.text(max_size=8) | st.text("\t\r\n\x00\x1f ~\x7f\x80\xa0aé", max_size=5))
def test_a_value_travels_if_it_is_printable_ascii_or_a_tab(value: str) -> None:
    sound = all(character == "\t" or " " <= character <= "~" for character in value)
    assert (f"accept: {value}\r\n" in going([("accept", value)])) is sound
    assert (coming([("allow", value)]) == (("allow", value),)) is sound


async def test_the_credential_of_the_route_is_the_only_one_sent(upstream: HttpUpstream, server: Scripted) -> None:
    mine = forward(
        server.url,
        credential=Credential(name="github", per="principal"),
        subject="alice",
        headers=(("authorization", "Bearer client"), ("Authorization", "Bearer client")),
    )
    await (await replied(upstream, mine)).read(1000)
    sent = [value for name, value in server.received[0].headers if name == "authorization"]
    assert sent == ["Bearer github/files/alice"]


async def test_nothing_is_sent_without_the_credential_that_the_route_names(
    upstream: HttpUpstream, server: Scripted
) -> None:
    failure = await failed(upstream, forward(server.url, credential=Credential(name="none", per="shared")))
    assert failure.code == "credential_missing"
    assert server.connections == 0


@pytest.mark.parametrize(
    ("script", "code", "word"),
    [
        (reset(), "upstream_broken", "closed"),
        ([Do.CLOSE], "upstream_broken", "closed"),
        (garbage(), "upstream_broken", "not HTTP"),
        (redirect("http://127.0.0.1:1/"), "upstream_broken", "redirect"),
        (redirect("/mcp", status="308 Permanent Redirect"), "upstream_broken", "redirect"),
        (unauthorized(), "credential_missing", "credential"),
        (whole(b"no", status="403 Forbidden", media="text/html"), "upstream_unavailable", "credential"),
        (whole(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n"), "upstream_broken", "compressed"),
        ([b"HTTP/1.1 200 OK\r\nContent-Le"], "upstream_timeout", "in time"),
        (hang(), "upstream_timeout", "in time"),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"], "upstream_broken", "not HTTP"),
    ],
)
async def test_a_server_that_does_not_answer_is_named_for_how_it_failed(
    upstream: HttpUpstream, server: Scripted, script: Script, code: str, word: str
) -> None:
    server.script = script
    verbs = ("POST", "DELETE") if code == "upstream_timeout" else ("POST", "GET", "DELETE")
    for verb in verbs:
        failure = await failed(upstream, forward(server.url, timeout_s=0.2, verb=verb, body=b""))
        assert (failure.code, word in failure.detail) == (code, True), failure
        assert "upstream.example" not in failure.detail
    assert len(server.received) == len(verbs), "each was sent once"


async def test_the_head_of_a_stream_may_come_with_its_first_event(upstream: HttpUpstream, server: Scripted) -> None:
    event = asyncio.Event()
    server.script = [event, *events(b"data: {}\n\n")]
    opening = asyncio.create_task(replied(upstream, forward(server.url, timeout_s=0.05, verb="GET", body=b"")))
    await server.arrival()
    done, _ = await asyncio.wait({opening}, timeout=0.3)
    assert done == set()
    event.set()
    assert (await opening).media == "sse"


async def test_a_refusal_in_json_may_be_the_error_that_answers(upstream: HttpUpstream, server: Scripted) -> None:
    server.script = whole(b"{}", status="403 Forbidden", headers="WWW-Authenticate: Bearer\r\n")
    reply = await replied(upstream, forward(server.url))
    assert (reply.status, await reply.read(10), dict(reply.headers).keys()) == (403, b"{}", {"content-type"})


@pytest.mark.parametrize("body", [b"x" * 100, b"x" * 1_000_000])
async def test_little_is_read_after_a_complete_answer(upstream: HttpUpstream, server: Scripted, body: bytes) -> None:
    server.script = whole(body)
    await (await replied(upstream, forward(server.url))).finish()
    server.script = whole(b"{}")
    await (await replied(upstream, forward(server.url))).read(10)
    assert server.connections == (1 if len(body) == 100 else 2)


@pytest.mark.parametrize(
    ("media", "read_as"),
    [
        *[
            (f"{kind};{space}charset={charset}", name)
            for kind, name in (("application/json", "json"), ("Text/Event-Stream", "sse"))
            for space, charset in (("", "utf8"), (" ", "UTF8"), ("", '"utf-8"'), ("", "us-ascii"), ("x=1; ", "utf-8"))
        ],
        ("application/json; charset=utf-16", "charset"),
        ("text/event-stream;charset=iso-8859-1", "charset"),
        ("text/html; charset=utf-8", "other"),
        ("application/json, text/event-stream", "other"),
        ("", "json"),
    ],
)
async def test_a_body_has_the_kind_of_its_type_in_utf_8(
    upstream: HttpUpstream, server: Scripted, media: str, read_as: str
) -> None:
    server.script = whole(b"{}", media=media)
    reply = await replied(upstream, forward(server.url))
    assert reply.media == read_as
    await reply.close(drain=False)


async def test_a_server_that_is_not_there_is_unavailable(upstream: HttpUpstream) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        failure = await failed(upstream, forward(f"http://127.0.0.1:{taken.getsockname()[1]}/mcp"))
    assert failure == unavailable("the server refused the connection")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mcp",
        "/mcp",
        "ftp://a.example/",
        "http://",
        "https://user@a.example/",
        "http://u:p@a.example/",
        "http://a:x/",
    ],
)
async def test_an_address_that_is_not_plain_http_is_refused(upstream: HttpUpstream, url: str) -> None:
    assert (await failed(upstream, forward(url))).code == "upstream_unavailable"


async def test_a_connection_is_used_again(upstream: HttpUpstream, server: Scripted) -> None:
    for _ in range(3):
        await (await replied(upstream, forward(server.url))).read(1000)
    assert (len(server.received), server.connections) == (3, 1)


async def test_a_used_connection_that_closed_is_not_tried_again(upstream: HttpUpstream, server: Scripted) -> None:
    await (await replied(upstream, forward(server.url))).read(1000)
    server.script = reset()
    for verb in ("GET", "DELETE", "POST"):
        assert (await failed(upstream, forward(server.url, verb=verb, body=b""))).code == "upstream_broken"
    assert len(server.received) == 4


async def test_cookies_are_not_kept(upstream: HttpUpstream, server: Scripted) -> None:
    server.script = whole(b"{}", headers="Set-Cookie: session=stolen; Path=/\r\n")
    for _ in range(2):
        reply = await replied(upstream, forward(server.url))
        await reply.read(1000)
        assert dict(reply.headers).keys() == {"content-type"}
    assert server.received[1].header("cookie") is None


async def test_a_proxy_of_the_environment_is_not_used(
    upstream: HttpUpstream, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await (await replied(upstream, forward(server.url))).read(1000)
    assert len(server.received) == 1


@pytest.mark.parametrize("limit", [10, 52 - 1])
async def test_a_body_beyond_the_limit_is_not_read_and_can_be_had_in_pieces(
    upstream: HttpUpstream, server: Scripted, limit: int
) -> None:
    body = b"x" * 30 + b"y" * 30
    for script in (whole(body), events(body[:30], body[30:])):
        server.script = script
        reply = await replied(upstream, forward(server.url))
        got = await reply.read(limit)
        assert isinstance(got, UpstreamFailure)
        assert got.code == "result_too_large"
        assert b"".join([piece async for piece in reply.chunks() if isinstance(piece, bytes)]) == body


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", Do.CLOSE], "upstream_broken"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", Do.RESET], "upstream_broken"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", Do.HANG], "upstream_timeout"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", Do.CLOSE], "upstream_broken"),
        (half_event(Do.RESET), "upstream_broken"),
        (half_event(Do.CLOSE), "upstream_broken"),
        (half_event(Do.HANG), "upstream_timeout"),
    ],
)
async def test_a_body_that_breaks_off_is_a_failure_in_either_way_of_reading(
    upstream: HttpUpstream, server: Scripted, script: Script, code: str
) -> None:
    server.script = script
    first = await upstream.send(forward(server.url, timeout_s=0.2))
    whole_body = first if isinstance(first, UpstreamFailure) else await first.read(1000)
    second = await upstream.send(forward(server.url, timeout_s=0.2))
    pieces = [second] if isinstance(second, UpstreamFailure) else [piece async for piece in second.chunks()]
    for got in (whole_body, pieces[-1]):
        assert isinstance(got, UpstreamFailure)
        assert got.code == code


async def test_events_arrive_as_the_server_sends_them(upstream: HttpUpstream, server: Scripted) -> None:
    server.script = [*events(b"data: 1\n\n", end=False), Do.HANG]
    reply = await replied(upstream, forward(server.url, timeout_s=5, verb="GET", body=b""))
    assert reply.media == "sse"
    pieces = reply.chunks()
    assert await anext(pieces) == b"data: 1\n\n"
    await reply.close(drain=False)
    await server.gone.wait()


async def test_a_stream_to_listen_to_may_be_silent_for_longer_than_the_timeout(
    upstream: HttpUpstream, server: Scripted
) -> None:
    server.script = [*events(b"data: 1\n\n", end=False), Do.HANG]
    listen = (("mcp-method", "subscriptions/listen"),)
    holds: list[dict[str, Any]] = [{"verb": "GET", "body": b""}, {"headers": listen}]
    for held in holds:
        reply = await replied(upstream, forward(server.url, timeout_s=1, **held))
        pieces = reply.chunks()
        await anext(pieces)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await anext(pieces)
        await reply.close(drain=False)


async def test_closing_without_draining_ends_the_request_at_the_server(
    upstream: HttpUpstream, server: Scripted
) -> None:
    server.script = [*events(b"data: 1\n\n", end=False), Do.HANG]
    await (await replied(upstream, forward(server.url))).close(drain=False)
    await server.gone.wait()


async def test_draining_lets_the_server_finish_and_keeps_the_connection(
    upstream: HttpUpstream, server: Scripted
) -> None:
    server.script = [*events(b"data: 1\n\n", end=False), *(chunk(b"x" * 1000) for _ in range(100)), b"0\r\n\r\n"]
    await (await replied(upstream, forward(server.url))).close(drain=True)
    while upstream._draining:
        await asyncio.wait(upstream._draining)
    server.script = answer({})
    await (await replied(upstream, forward(server.url))).read(1000)
    assert server.connections == 1
    assert not server.gone.is_set()


async def test_drains_end_with_the_worker(server: Scripted) -> None:
    server.script = [*events(b"data: 1\n\n", end=False), Do.HANG]
    async with reach(FakeSecrets()) as upstream:
        await (await replied(upstream, forward(server.url))).close(drain=True)
        assert len(upstream._draining) == 1
    await server.gone.wait()


async def test_a_reader_that_does_not_read_stops_the_server(upstream: HttpUpstream, server: Scripted) -> None:
    server.script = huge(100 * 1024 * 1024)
    reply = await replied(upstream, forward(server.url, timeout_s=20))
    pieces = reply.chunks()
    await anext(pieces)
    before = -1
    while before != server.written:  # the server writes on until every buffer between us is full
        before = server.written
        for _ in range(100):
            await asyncio.sleep(0)  # noqa: TID251 - lets the other end of this loop run; no time passes
    assert server.written < 20 * 1024 * 1024
    size = sum([len(piece) async for piece in pieces if isinstance(piece, bytes)])
    assert size > 99 * 1024 * 1024


@pytest.mark.parametrize(
    ("script", "media"),
    [
        (whole(b"{}", media="application/json; charset=UTF-8"), "json"),
        (whole(b"{}", media="Application/JSON"), "json"),
        (whole(b"{}", media="application/json; charset=utf-16"), "charset"),
        (whole(b"<html>", media="text/html"), "other"),
        (whole(b"", status="202 Accepted"), "empty"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], "empty"),
        (events(b"data: 1\n\n"), "sse"),
    ],
)
async def test_the_media_of_a_reply_is_determined_by_its_headers(
    upstream: HttpUpstream, server: Scripted, script: Script, media: str
) -> None:
    server.script = script
    reply = await replied(upstream, forward(server.url))
    assert reply.media == media
    await reply.close(drain=False)


async def test_a_reply_brings_back_only_what_the_protocol_gives(upstream: HttpUpstream, server: Scripted) -> None:
    protocol = "Mcp-Session-Id: abc\r\nMCP-Protocol-Version: 2025-11-25\r\nRetry-After: 3\r\n"
    lines = protocol + "Server: x\r\nWWW-Authenticate: y\r\n"
    server.script = whole(b"{}", status="503 Service Unavailable", headers=lines)
    reply = await replied(upstream, forward(server.url))
    assert reply.status == 503
    assert dict(reply.headers) == {
        "content-type": "application/json",
        "mcp-session-id": "abc",
        "mcp-protocol-version": "2025-11-25",
        "retry-after": "3",
    }
    await reply.close(drain=False)


async def test_certificates_cannot_be_left_unverified() -> None:
    with pytest.raises(ValueError, match="cannot be disabled"):
        async with reach(FakeSecrets(), trust=False):
            pass
