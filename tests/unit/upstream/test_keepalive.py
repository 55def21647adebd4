"""Idle connections: their reuse, and requests on a connection that the server has closed.

Rule 1: the test controls the time. Idle time passes only when a test moves the clock.
"""

import asyncio
import contextlib
import os
import re
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.pipeline.ports import UpstreamFailure
from gateway.upstream import HttpUpstream, connection_pool, reach
from gateway.upstream.failures import CLOSED, CUT, TIMED_OUT, UNWRITTEN
from gateway.upstream.keepalive import FIRST_S, IDLE_S, MARGIN_S, WATCH_S, Keepalive, Promise, promise
from gateway.upstream.reply import HttpReply
from tests.servers.scripted import Do, Script, Scripted, scripted, serving, whole
from tests.unit.upstream.test_client import FakeSecrets, failed, forward, replied

OK: Final = whole(b"{}")[0]
assert isinstance(OK, bytes)
ORIGIN: Final = ("a.example", 443, True)
TRUST: Final = ssl.create_default_context()
TIMEOUT_408: Final = b"HTTP/1.1 408 Request Time-out\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlate\n"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def upstream(clock: Clock) -> AsyncGenerator[HttpUpstream]:
    async with reach(FakeSecrets(), trust=TRUST, now=clock) as opened:
        yield opened


@pytest.fixture
async def server() -> AsyncGenerator[Scripted]:
    async with scripted(whole(b"{}")) as running:
        yield running


class Capped(Scripted):
    """Answers this many requests on each connection, and closes it at the next one without an answer."""

    def __init__(self, cap: int, last: Script = (Do.CLOSE,)) -> None:
        super().__init__(whole(b"{}"))
        self._cap: Final = cap
        self._last: Final = last
        self._served: Final[Counter[asyncio.StreamWriter]] = Counter()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._served[writer] += 1
        self.script = self._last if self._served[writer] > self._cap else whole(b"{}")
        await super()._answer(reader, writer)


async def ask(upstream: HttpUpstream, server: Scripted) -> None:
    """Ask once, and read the answer."""
    assert await (await replied(upstream, forward(server.url))).read(100) == b"{}"


@pytest.mark.parametrize("period_s", [5.0, 4.0, IDLE_S, 2.0, 1.0])
async def test_polling_never_meets_a_connection_that_the_server_closed(
    upstream: HttpUpstream, clock: Clock, period_s: float
) -> None:
    server = Capped(1)
    async with serving(server):
        for _ in range(8):
            await ask(upstream, server)
            clock.seconds += period_s
    assert (len(server.received), server.connections) == (8, 8)


async def test_a_server_that_keeps_connections_open_gets_them_used_again(
    upstream: HttpUpstream, server: Scripted, clock: Clock
) -> None:
    await ask(upstream, server)
    clock.seconds += WATCH_S
    upstream._pool._swept()
    await asyncio.wait_for(server.gone.wait(), 30)
    for _ in range(4):
        await ask(upstream, server)
        clock.seconds += IDLE_S - 0.1
    assert server.connections == 2
    clock.seconds += 0.1
    await ask(upstream, server)
    assert server.connections == 3


@pytest.mark.parametrize(
    ("line", "idle_s", "connections"),
    [
        ("Keep-Alive: timeout=2\r\n", 0.9, 1),
        ("Keep-Alive: timeout=2\r\n", 1.0, 2),
        ("Keep-Alive: timeout=1\r\n", 0.0, 2),
        ("Keep-Alive: timeout=60\r\n", 2.9, 1),
        ("Keep-Alive: timeout=60\r\n", 3.0, 2),
        ("Keep-Alive: timeout=60, max=0\r\n", 0.0, 2),
        ("Keep-Alive: timeout=60\r\nKeep-Alive: timeout=1\r\n", 0.0, 2),
        ("Connection: close\r\n", 0.0, 2),
        ("Connection: keep-alive, close\r\n", 0.0, 2),
        ("", FIRST_S - 0.1, 1),
        ("", FIRST_S, 2),
    ],
)
async def test_a_connection_is_used_again_as_long_as_its_server_keeps_it(
    upstream: HttpUpstream, server: Scripted, clock: Clock, line: str, idle_s: float, connections: int
) -> None:
    server.script = whole(b"{}", headers=line)
    await ask(upstream, server)
    clock.seconds += idle_s
    await ask(upstream, server)
    assert server.connections == connections


@pytest.mark.parametrize(
    ("head", "connections"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 2),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n{}", 1),
        (b"HTTP/1.0 200 OK\r\nKeep-Alive: timeout=9\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n{}", 2),
    ],
)
async def test_http_1_0_keeps_a_connection_only_if_it_says_so(
    upstream: HttpUpstream, server: Scripted, head: bytes, connections: int
) -> None:
    server.script = [head]
    await ask(upstream, server)
    await ask(upstream, server)
    assert server.connections == connections


def reset(peer: socket.socket) -> None:
    """Close with a TCP reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def sends(data: bytes) -> Callable[[socket.socket], object]:
    """Return an act that writes bytes without a request."""
    return lambda peer: peer.send(data)


IDLE_ACTS: Final[dict[str, Callable[[socket.socket], object]]] = {
    "closes": socket.socket.close,
    "closes one half": lambda peer: peer.shutdown(socket.SHUT_WR),
    "resets": reset,
    "says 408": sends(TIMEOUT_408),
    "says 408 and closes": lambda peer: (peer.send(TIMEOUT_408), peer.close()),
    "writes an answer to nothing": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
    "writes a byte": sends(b"\x00"),
    "writes an empty line": sends(b"\r\n"),
    "writes urgent data": lambda peer: peer.send(b"!", socket.MSG_OOB),
}
"""Acts of a server on an idle connection while the event loop of the gateway does not run."""


async def meets(act: Callable[[socket.socket], object], *, verb: str = "POST") -> list[bytes]:
    """Ask twice, with an act on the idle connection in between, and return the bytes on the second connection."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        async with reach(FakeSecrets(), trust=TRUST, now=Clock()) as upstream:
            asking = asyncio.ensure_future(upstream.send(forward(url)))
            peer, _ = await loop.sock_accept(listening)
            await loop.sock_recv(peer, 10_000)
            await loop.sock_sendall(peer, OK)
            assert isinstance(await asking, HttpReply)
            act(peer)
            asking = asyncio.ensure_future(upstream.send(forward(url, verb=verb)))
            accepting = asyncio.ensure_future(loop.sock_accept(listening))
            await asyncio.wait({asking, accepting}, return_when=asyncio.FIRST_COMPLETED)
            assert not asking.done(), asking.result()
            second, _ = await accepting
            got = await loop.sock_recv(second, 10_000)
            await loop.sock_sendall(second, OK)
            assert isinstance(await asking, HttpReply)
            peer.close()
            second.close()
            return [got]


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("verb", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize("act", IDLE_ACTS)
def test_a_connection_on_which_anything_happened_is_not_used_again(
    act: str, verb: str, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        (got,) = runner.run(meets(IDLE_ACTS[act], verb=verb))
    assert got.startswith(verb.encode())


async def test_a_tls_connection_with_anything_to_read_is_not_used_again(pair: Path, clock: Clock) -> None:
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(pair)
    trust = ssl.create_default_context(cafile=str(pair))
    async with scripted(whole(b"{}"), tls=own) as server, reach(FakeSecrets(), trust=trust, now=clock) as upstream:
        await ask(upstream, server)
        await ask(upstream, server)
        assert server.connections == 1
        (writer,) = server._open
        with _raw(writer) as raw:
            raw.send(b"\x15\x03\x03")
            await ask(upstream, server)
        assert (server.connections, len(server.received)) == (2, 3)


@pytest.mark.parametrize("verb", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize("last", [Do.CLOSE, Do.RESET])
async def test_a_clients_message_is_never_written_twice(upstream: HttpUpstream, last: Do, verb: str) -> None:
    server = Capped(1, [last])
    async with serving(server):
        await ask(upstream, server)
        assert await failed(upstream, forward(server.url, verb=verb)) is CLOSED
        assert (len(server.received), server.connections) == (2, 1)
    assert "before it answered; the call may have been executed" in CLOSED.detail


async def test_a_list_request_of_the_gateway_is_repeated_once(upstream: HttpUpstream) -> None:
    server = Capped(1)
    async with serving(server):
        await ask(upstream, server)
        reply = await replied(upstream, forward(server.url, repeatable=True))
        assert await reply.read(100) == b"{}"
        assert (len(server.received), server.connections) == (3, 2)


@pytest.mark.parametrize("script", [[Do.CLOSE], [Do.RESET], [TIMEOUT_408, Do.CLOSE]])
async def test_a_list_request_is_written_twice_at_most(
    upstream: HttpUpstream, server: Scripted, script: Script
) -> None:
    server.script = script
    assert (await failed(upstream, forward(server.url, repeatable=True))).code == "upstream_broken"
    assert (len(server.received), server.connections) == (2, 2)


@pytest.mark.parametrize(
    "script",
    [
        [b"HTTP/1.1 2", Do.CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-Le", Do.CLOSE],
        [b"HTTP/1.1 100 Continue\r\n\r\n", Do.CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n", Do.CLOSE],
    ],
)
async def test_an_answer_that_began_is_neither_unanswered_nor_repeated(
    upstream: HttpUpstream, server: Scripted, script: Script
) -> None:
    server.script = script
    assert await failed(upstream, forward(server.url, repeatable=True)) is CUT
    assert len(server.received) == 1


async def test_a_request_timeout_of_a_proxy_is_not_an_answer(upstream: HttpUpstream) -> None:
    server = Capped(1, [TIMEOUT_408, Do.CLOSE])
    async with serving(server):
        await ask(upstream, server)
        assert await failed(upstream, forward(server.url)) is TIMED_OUT
        assert len(server.received) == 2


async def test_a_request_timeout_with_a_message_is_an_answer(upstream: HttpUpstream, server: Scripted) -> None:
    server.script = whole(b"{}", status="408 Request Timeout")
    assert (await replied(upstream, forward(server.url))).status == 408


async def test_a_new_connection_that_closes_unused_is_replaced_and_then_named(
    upstream: HttpUpstream, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = upstream._pool.connect
    dead: list[object] = []

    async def closes(address: connection_pool.UpstreamAddress) -> object:
        wire = await connect(address)
        if len(dead) < dying:
            dead.append(wire)
            assert not isinstance(wire, UpstreamFailure)
            wire.abort()
        return wire

    monkeypatch.setattr(upstream._pool, "connect", closes)
    dying = 2
    await ask(upstream, server)
    assert len(server.received) == 1
    dead.clear()
    dying = 9
    upstream._pool._idle.clear()
    assert await failed(upstream, forward(server.url)) is UNWRITTEN
    assert (len(server.received), len(dead)) == (1, 3)
    assert UNWRITTEN.code == "upstream_unavailable"


async def test_an_idle_connection_does_not_keep_another_server_from_being_reached(
    upstream: HttpUpstream, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_pool, "CONNECTIONS", 1)
    await ask(upstream, server)
    async with scripted(whole(b"{}")) as other:
        await ask(upstream, other)
        await asyncio.wait_for(server.gone.wait(), 30)
        other.script = [Do.HANG]
        held = asyncio.ensure_future(upstream.send(forward(other.url)))
        await other.arrival(2)
        failure = await failed(upstream, forward(server.url))
        assert "too many open connections" in failure.detail
        held.cancel()
        await asyncio.wait({held})


async def test_an_idle_connection_is_closed_in_time(upstream: HttpUpstream, server: Scripted, clock: Clock) -> None:
    await ask(upstream, server)
    clock.seconds += WATCH_S - 0.01
    upstream._pool._swept()
    assert upstream._pool._idle
    clock.seconds += 0.01
    upstream._pool._swept()
    assert not upstream._pool._idle
    await asyncio.wait_for(server.gone.wait(), 30)


async def test_nothing_is_swept_while_every_connection_is_in_use(upstream: HttpUpstream, server: Scripted) -> None:
    await ask(upstream, server)
    server.script = [Do.HANG]
    held = asyncio.ensure_future(upstream.send(forward(server.url)))
    await server.arrival(2)
    upstream._pool._swept()
    assert not upstream._pool._idle
    held.cancel()
    await asyncio.wait({held})
    assert server.connections == 1


class Misbehaving(Scripted):
    """Answers every request, and performs the act of the test on idle connections."""

    def act(self, what: str) -> None:
        """Perform the act on the raw sockets, so that the other side has not noticed yet."""
        for writer in self._open:
            with contextlib.suppress(OSError), _raw(writer) as raw:  # the other side may have closed it already
                if what == "bytes":
                    raw.send(b"x")
                elif what == "408":
                    raw.send(TIMEOUT_408)
                else:
                    raw.shutdown(socket.SHUT_WR if what == "half" else socket.SHUT_RDWR)

    async def over(self) -> None:
        """Wait until every connection has ended."""
        while self._open:
            await asyncio.sleep(0)  # noqa: TID251 - lets the connections see their end; no time passes


def _raw(writer: asyncio.StreamWriter) -> socket.socket:
    """Return a blocking socket for the connection of a writer, which stays open."""
    raw = socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))
    raw.setblocking(True)
    return raw


STEPS: Final = st.one_of(
    st.just("ask"), st.sampled_from(["bytes", "408", "half", "close"]), st.floats(min_value=0, max_value=10)
)


async def _played(steps: list[str | float]) -> None:
    clock, server, asked = Clock(), Misbehaving(whole(b"{}")), 0
    async with serving(server), reach(FakeSecrets(), trust=TRUST, now=clock) as upstream:
        for step in steps:
            if not isinstance(step, str):
                clock.seconds += step
            elif step == "ask":
                await ask(upstream, server)
                asked += 1
            else:
                server.act(step)
        assert len(server.received) == asked
        await upstream.aclose()
        await server.over()


@settings(max_examples=40)
@given(st.lists(STEPS, max_size=12))
def test_each_request_is_written_and_answered_once_on_reused_connections(steps: list[str | float]) -> None:
    asyncio.run(_played(steps))


@pytest.mark.parametrize(
    ("values", "timeout_s"),
    [
        ([], None),
        (["timeout=5"], 5),
        (["timeout=5, max=100"], 5),
        (["max=100,TIMEOUT = 7"], 7),
        (['timeout="3"'], 3),
        (["timeout=9", "timeout=4"], 4),
        (["timeout=0"], 0),
        (["timeout=5, max=0"], 0),
        (["max=10"], None),
        (["timeout=-1"], None),
        (["timeout=five"], None),
        (["timeout=99999999999999999999"], None),
        (["xtimeout=1"], None),
        (["", ",,,"], None),
    ],
)
def test_the_timeout_of_a_server_is_read_from_its_headers(values: list[str], timeout_s: float | None) -> None:
    assert promise([("keep-alive", value) for value in values]) == Promise(timeout_s)


@given(
    st.lists(st.one_of(st.just("open"), st.floats(min_value=0, max_value=10))),
    st.none() | st.floats(min_value=0, max_value=1e9),
)
def test_a_limit_never_exceeds_the_servers_promise_or_behavior(
    events: list[str | float], timeout_s: float | None
) -> None:
    keepalive = Keepalive()
    for event in events:
        if isinstance(event, float):
            keepalive.closed(ORIGIN, event)
            assert keepalive.limit_s(ORIGIN, Promise()) <= event / 2
        else:
            keepalive.stayed_open(ORIGIN)
    limit = keepalive.limit_s(ORIGIN, Promise(timeout_s))
    assert 0 <= limit <= IDLE_S
    assert timeout_s is None or limit <= max(0.0, timeout_s - MARGIN_S)


@given(st.text(max_size=60))
def test_any_keep_alive_header_is_read(text: str) -> None:
    timeout_s = promise([("keep-alive", text)]).timeout_s
    assert timeout_s is None or timeout_s >= 0


def test_only_the_gateways_own_list_requests_are_repeatable(checkout: Path) -> None:
    setting = re.compile(r"\brepeatable\s*=\s*")
    files = (checkout / "gateway").rglob("*.py")
    found = {path.relative_to(checkout).as_posix() for path in files if setting.search(path.read_text("utf-8"))}
    assert found == {"gateway/pipeline/definition_discovery.py"}
