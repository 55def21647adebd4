"""One upstream connection: framing, reuse, certificates, and arbitrary bytes."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pipeline.bounded_reads import READ_BYTES
from gateway.pipeline.loop_deadlines import WaitBudget
from gateway.pipeline.ports import UpstreamFailure
from gateway.upstream import HttpUpstream, reach
from gateway.upstream.address import address
from gateway.upstream.connection import HEAD_BYTES, ReplyHead, UpstreamConnection
from gateway.upstream.keepalive import WATCH_S
from gateway.upstream.reply import HttpReply, ReplyDeadlines, media_of
from gateway.upstream.reply_body import ReplyBody
from tests.servers.scripted import Do, Repeat, Script, Scripted, answer, chunk, events, scripted, whole
from tests.unit.upstream.test_client import FakeSecrets, failed, forward, replied

SOON_S = WATCH_S / 2
"""Seconds before merely idle connections are closed."""
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
async def upstream() -> AsyncGenerator[HttpUpstream]:
    async with reach(FakeSecrets()) as opened:
        yield opened


@pytest.fixture
async def server() -> AsyncGenerator[Scripted]:
    async with scripted() as running:
        yield running


@pytest.mark.parametrize(
    "script",
    [
        [OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        [OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}"],
        [OK + b"Content-Length: +2\r\n\r\n{}"],
        [OK + b"Content-Length : 2\r\n\r\n{}"],
        [OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
        [OK + b"Transfer-Encoding: identity\r\n\r\n{}", Do.CLOSE],
        [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\n" * 20],
        [b"HTTP/2 200 OK\r\n\r\n"],
        [b"ICY 200 OK\r\n\r\n"],
        [OK + b"X: a\nb: c\r\n\x00: d\r\n\r\n"],
        [b"x" * 200_000],
        [OK + b"X-Many: 1\r\n" * 10_000 + b"\r\n"],
    ],
)
async def test_framing_that_readers_may_read_differently_is_not_an_answer(
    upstream: HttpUpstream, server: Scripted, script: Script
) -> None:
    server.script = script
    assert (await failed(upstream, forward(server.url, timeout_s=1))).code == "upstream_broken"


async def test_an_answer_of_tiny_chunks_is_read_in_small_pieces(
    upstream: HttpUpstream, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, read = list[int](), UpstreamConnection.data_received

    def counted(wire: UpstreamConnection, data: bytes) -> None:
        sizes.append(len(data))
        read(wire, data)

    monkeypatch.setattr(UpstreamConnection, "data_received", counted)
    server.script = [OK + b"Transfer-Encoding: chunked\r\n\r\n", chunk(b"1") * 100_000, b"0\r\n\r\n"]
    reply = await replied(upstream, forward(server.url))
    assert await reply.read(1_000_000) == b"1" * 100_000
    assert max(sizes) <= READ_BYTES


@pytest.mark.parametrize(
    "script",
    [
        [*whole(b"{}"), b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"],
        [*whole(b"{}"), b"\x00"],
        [OK + b"Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nX-Poison: "],
        whole(b"{}", headers="Connection: close\r\n"),
        [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"],
    ],
)
async def test_a_connection_on_which_more_may_come_is_not_used_again(
    upstream: HttpUpstream, server: Scripted, script: Script
) -> None:
    server.script = script
    first = await upstream.send(forward(server.url))
    if not isinstance(first, UpstreamFailure):
        await first.read(1000)
    await asyncio.wait_for(server.gone.wait(), SOON_S)
    server.script = answer({"tools": []})
    second = await replied(upstream, forward(server.url))
    assert b"tools" in bytes(await second.read(1000))  # pyright: ignore[reportArgumentType]
    assert server.connections == 2


async def test_bytes_without_a_request_end_the_connection(upstream: HttpUpstream, server: Scripted) -> None:
    await (await replied(upstream, forward(server.url))).read(1000)
    for writer in server._open:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    await asyncio.wait_for(server.gone.wait(), SOON_S)
    second = await replied(upstream, forward(server.url))
    assert b"evil" not in bytes(await second.read(1000))  # pyright: ignore[reportArgumentType]


async def test_a_head_that_another_follows_is_passed_over(upstream: HttpUpstream, server: Scripted) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nMcp-Session-Id: early\r\n\r\n"
    server.script = [early + early, *whole(b"{}")]
    reply = await replied(upstream, forward(server.url))
    assert (reply.status, await reply.read(10)) == (200, b"{}")
    assert dict(reply.headers) == {"content-type": "application/json"}


@pytest.mark.parametrize("framing", [b"0\r\nX: ", b"0\r\n", b"2;x="])
async def test_trailers_and_extensions_without_an_end_end_the_exchange(
    upstream: HttpUpstream, server: Scripted, framing: bytes
) -> None:
    endless = b"X: y\r\n" if framing == b"0\r\n" else b"y" * 6
    server.script = [OK + b"Transfer-Encoding: chunked\r\n\r\n", chunk(b"{}"), framing, Repeat(endless * 10_000, 1_000)]
    reply = await replied(upstream, forward(server.url))
    failure = await reply.read(1000)
    assert isinstance(failure, UpstreamFailure)
    assert failure.code == "upstream_broken"
    await asyncio.wait_for(server.gone.wait(), SOON_S)


async def test_chunks_of_one_byte_do_not_count_as_endless_framing(upstream: HttpUpstream, server: Scripted) -> None:
    server.script = [OK + b"Transfer-Encoding: chunked\r\n\r\n", chunk(b"x") * 50_000, b"0\r\n\r\n"]
    assert await (await replied(upstream, forward(server.url))).read(50_000) == b"x" * 50_000


@pytest.mark.parametrize(("length", "fits"), [("2", True), ("3", False), ("10", False), ("0" * 5_000 + "2", True)])
async def test_an_announced_length_counts_however_it_is_written(
    upstream: HttpUpstream, server: Scripted, length: str, fits: bool
) -> None:
    server.script = [OK + f"Content-Length: {length}\r\n\r\n".encode(), b"x" * int(length[-2:])]
    read = await (await replied(upstream, forward(server.url))).read(2)
    assert (read == b"xx") is fits


async def test_trailers_are_not_headers(upstream: HttpUpstream, server: Scripted) -> None:
    head = OK + b"Transfer-Encoding: chunked\r\nTrailer: Mcp-Session-Id\r\n\r\n"
    server.script = [head, chunk(b"{}"), b"0\r\nMcp-Session-Id: late\r\n\r\n"]
    reply = await replied(upstream, forward(server.url))
    assert await reply.read(10) == b"{}"
    assert "mcp-session-id" not in dict(reply.headers)
    await (await replied(upstream, forward(server.url))).read(10)
    assert server.connections == 1


async def test_a_body_without_a_length_ends_with_its_connection(upstream: HttpUpstream, server: Scripted) -> None:
    server.script = [OK + b"\r\n", b'{"a":', b"1}", Do.CLOSE]
    assert await (await replied(upstream, forward(server.url))).read(100) == b'{"a":1}'
    server.script = [OK + b"\r\n", b'{"a":', Do.RESET]
    reply = await upstream.send(forward(server.url))
    got = reply if isinstance(reply, UpstreamFailure) else await reply.read(100)
    assert isinstance(got, UpstreamFailure)


async def test_a_reply_can_be_read_after_its_connection_went_on(upstream: HttpUpstream, server: Scripted) -> None:
    first = await replied(upstream, forward(server.url))
    second = await replied(upstream, forward(server.url))
    assert await first.read(1000) == await second.read(1000)


async def test_a_canceled_caller_cancels_the_request(upstream: HttpUpstream, server: Scripted) -> None:
    server.script = [Do.HANG]
    asking = asyncio.create_task(upstream.send(forward(server.url)))
    await server.arrival()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(server.gone.wait(), SOON_S)


async def test_many_callers_share_connections(upstream: HttpUpstream, server: Scripted) -> None:
    async def ask() -> bytes | UpstreamFailure:
        return await (await replied(upstream, forward(server.url))).read(1000)

    for _ in range(3):
        answers = await asyncio.gather(*(ask() for _ in range(20)))
        assert {isinstance(got, bytes) for got in answers} == {True}
    assert server.connections <= 20


async def test_streams_of_two_callers_do_not_mix(upstream: HttpUpstream, server: Scripted) -> None:
    server.script = events(b"data: 1\n\n", b"data: 2\n\n")
    replies = [await replied(upstream, forward(server.url)) for _ in range(5)]
    for reply in replies:
        assert b"".join([piece async for piece in reply.chunks() if isinstance(piece, bytes)]) == (
            b"data: 1\n\ndata: 2\n\n"
        )


class FakeOwner:
    """Ignores all events."""

    def made(self, wire: UpstreamConnection) -> None: ...
    def release(self, wire: UpstreamConnection) -> None: ...
    def lost(self, wire: UpstreamConnection) -> None: ...


class FakeTransport(asyncio.Transport):
    """Discards all data."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...
    def abort(self) -> None: ...
    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def get_write_buffer_size(self) -> int:
        return 0


PIECES = st.sampled_from(
    [
        *(
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 204 No\r\n",
            b"\r\n",
            b"\r\n\r\n",
            b"\n",
        ),
        *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"3\r\nabc\r\n"),
        *(b"0\r\n\r\n", b"abc", b"\x00", b"Upgrade: x\r\n"),
    ]
)


async def _read(pieces: list[bytes]) -> None:
    wire = UpstreamConnection(FakeOwner(), ("a", 1, False))
    wire.connection_made(FakeTransport())
    asking = asyncio.ensure_future(wire.ask(b"GET / HTTP/1.1\r\n\r\n"))
    await asyncio.wait([asking], timeout=0)
    for piece in pieces:
        wire.data_received(piece)
    wire.connection_lost(None)
    head = await asking
    if isinstance(head, ReplyHead):
        assert head.status >= 200
        while isinstance(piece := await head.body.next(), bytes) and piece:
            assert len(piece) <= sum(map(len, pieces))


@given(st.lists(PIECES | st.binary(max_size=20), max_size=12))
def test_any_bytes_give_a_head_or_a_failure(pieces: list[bytes]) -> None:
    asyncio.run(_read(pieces))


class FakeTap:
    """Has nothing to pause."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def abort(self) -> None: ...


async def _answered(reply: bytes) -> ReplyHead | UpstreamFailure:
    """Return the result of a reply that arrives in one piece."""
    wire = UpstreamConnection(FakeOwner(), ("a", 1, False))
    wire.connection_made(FakeTransport())
    asking = asyncio.ensure_future(wire.ask(b"GET / HTTP/1.1\r\n\r\n"))
    await asyncio.wait([asking], timeout=0)
    wire.data_received(reply)
    return await asking


@given(st.integers(-200, 200), st.booleans())
def test_a_head_is_bounded_also_if_its_body_comes_with_it(more: int, chunked: bool) -> None:
    framing = b"transfer-encoding: chunked\r\n" if chunked else b"content-length: 3\r\n"
    size = len(framing.replace(b": ", b"").strip()) + len(b"x")
    lines = framing + b"x: " + b"y" * (HEAD_BYTES - size + more) + b"\r\n"
    body = b"3\r\nabc\r\n0\r\n\r\n" if chunked else b"abc"
    head = asyncio.run(_answered(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n" + body))
    assert isinstance(head, ReplyHead) is (more <= 0)


NAMES = st.sampled_from(["a", "b", "content-type"])


@given(st.lists(st.tuples(NAMES, st.from_regex(r"[a-z]{0,5}", fullmatch=True)), max_size=6))
def test_the_first_of_several_equal_headers_counts(lines: list[tuple[str, str]]) -> None:
    written = "".join(f"{name.upper()}: {value}\r\n" for name, value in lines)
    head = asyncio.run(_answered(f"HTTP/1.1 200 OK\r\n{written}\r\n".encode()))
    assert isinstance(head, ReplyHead)
    assert head.headers == tuple(lines)
    for asked in ("a", "b", "content-type", "c"):
        assert head.first.get(asked) == next((value for name, value in lines if name == asked), None)


@given(st.sampled_from(["", "application/json", "text/event-stream"]), st.sampled_from(["", " ", ";", " ; ;"]))
def test_a_plain_type_means_the_same_as_one_with_empty_parameters(kind: str, end: str) -> None:
    plain, long = (
        ReplyHead(200, (), {"content-type": text}, ReplyBody(FakeTap())) for text in (kind, kind.upper() + end)
    )
    assert media_of(plain) == media_of(long)


async def _read_of(announced: str, limit: int) -> bytes | UpstreamFailure:
    body = ReplyBody(FakeTap())
    body.add(b"x")
    body.end()
    head = ReplyHead(200, (), {"content-length": announced}, body)
    limits = ReplyDeadlines(patience=WaitBudget(1), idle_s=1)
    return await HttpReply(head, limits, asyncio.ensure_future).read(limit)


@given(st.from_regex(r"0{0,3}[0-9]{1,6}|[+a-z]{0,8}", fullmatch=True), st.integers(1, 20_000))
def test_a_body_is_not_read_if_its_announced_length_is_too_large(announced: str, limit: int) -> None:
    too_large = announced.isdecimal() and int(announced) > limit
    assert isinstance(asyncio.run(_read_of(announced, limit)), UpstreamFailure) is too_large


async def test_a_connection_is_looked_at_once_before_each_use(
    upstream: HttpUpstream, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, look = list[float | None](), UpstreamConnection.quiet

    def counted(wire: UpstreamConnection) -> bool:
        looks.append(wire.idle_s)
        return look(wire)

    monkeypatch.setattr(UpstreamConnection, "quiet", counted)
    for uses in (1, 2, 3):
        await (await replied(upstream, forward(server.url))).read(1000)
        assert len(looks) == uses
    assert server.connections == 1


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("https://mcp.example/mcp", ("mcp.example", 443, True, "mcp.example", "/mcp")),
        ("http://mcp.example:80", ("mcp.example", 80, False, "mcp.example", "/")),
        ("http://[::1]:8080/a?b=c%20d", ("::1", 8080, False, "[::1]:8080", "/a?b=c%20d")),
        ("https://exämple.com/ü ", ("xn--exmple-cua.com", 443, True, "xn--exmple-cua.com", "/%C3%BC%20")),
    ],
)
def test_a_url_becomes_an_address(url: str, want: tuple[object, ...]) -> None:
    found = address(url)
    assert found is not None
    assert (found.host, found.port, found.tls, found.authority, found.target) == want


@given(st.text())
def test_no_url_brings_a_second_line_into_a_request(text: str) -> None:
    for url in (text, f"http://{text}/", f"http://a.example/{text}"):
        found = address(url)
        if found is not None:
            assert not set(" \r\n\t") & set(found.target + found.authority)
            assert (found.target + found.authority).isascii()


async def test_a_certificate_of_an_unknown_authority_is_refused(upstream: HttpUpstream, pair: Path) -> None:
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(pair)
    async with scripted(tls=own) as server:
        failure = await failed(upstream, forward(server.url))
        assert failure.detail == "the server's TLS certificate cannot be verified"
        assert server.received == []


async def test_a_certificate_of_a_known_authority_is_taken_and_used_again(pair: Path) -> None:
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(pair)
    trust = ssl.create_default_context(cafile=str(pair))
    async with scripted(tls=own) as server, reach(FakeSecrets(), trust=trust) as upstream:
        for _ in range(2):
            assert await (await replied(upstream, forward(server.url))).read(1000)
        assert server.connections == 1
        wrong = await failed(upstream, forward(server.url.replace("127.0.0.1", "localhost")))
        assert wrong.code == "upstream_unavailable"


async def test_tls_to_a_server_that_speaks_none_is_unavailable(upstream: HttpUpstream) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    failure = await failed(upstream, forward(f"https://127.0.0.1:{port}/"))
    server.close()
    assert failure.detail == "the TLS handshake with the server failed"
