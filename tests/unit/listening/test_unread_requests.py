"""A client can read the response to a request that was refused before all of it was read."""

import asyncio
import json
import time
from pathlib import Path
from typing import Final

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from gateway.listening.connections import Connections
from gateway.listening.http_exchange import ExchangeConnection, HttpExchange, Outlet
from gateway.listening.http_protocol import HttpProtocol
from gateway.listening.limits import ConnectionLimits
from gateway.listening.refused_connections import Refusals
from gateway.pipeline.bounded_reads import READ_BYTES
from tests.unit.listening.support import CHUNKED, Served, head, serving, until

MIB: Final = 1024 * 1024
BODY: Final = b"x" * (5 * MIB)
CHUNKS: Final = b"".join(b"%x\r\n" % MIB + b"x" * MIB + b"\r\n" for _ in range(5)) + b"0\r\n\r\n"


def whole(path: str, framing: str) -> bytes:
    if framing == "chunked":
        return head(path, CHUNKED) + CHUNKS
    return head(path, f"Content-Length: {len(BODY)}") + BODY


async def test_a_body_of_tiny_chunks_is_read_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, read = list[int](), HttpProtocol.data_received

    def counted(protocol: HttpProtocol, data: bytes) -> None:
        sizes.append(len(data))
        read(protocol, data)

    monkeypatch.setattr(HttpProtocol, "data_received", counted)
    async with serving() as served, served.client() as client:
        await client.send(head("/read", CHUNKED) + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")
        assert (await client.answer()).status == 200
    assert max(sizes) <= READ_BYTES
    assert sum(sizes) > 600_000


@pytest.mark.parametrize("framing", ["announced", "chunked"])
@pytest.mark.parametrize(("path", "status"), [("/close", 413), ("/early", 401)])
async def test_a_client_that_writes_all_before_it_reads_gets_its_answer(path: str, status: int, framing: str) -> None:
    async with serving() as served, served.client() as client:
        await client.send(whole(path, framing))
        assert (await client.answer()).status == status


async def test_a_connection_that_is_to_end_is_ended_after_the_answer() -> None:
    async with serving() as served, served.client() as client:
        await client.send(whole("/close", "announced"))
        assert (await client.answer()).status == 413
        assert await client.ended() == b""


async def test_a_connection_stays_in_step_after_a_body_that_was_not_read() -> None:
    async with serving() as served, served.client() as client:
        smuggled = head("/smuggled", method="GET")
        await client.send(head("/early", f"Content-Length: {len(smuggled)}") + smuggled + head("/x", method="GET"))
        assert (await client.answer()).status == 401
        assert json.loads((await client.answer()).body)["path"] == "/x"
        assert [scope["path"] for scope in served.app.scopes] == ["/early", "/x"]


@pytest.mark.parametrize("path", ["/early", "/close"])
async def test_an_answer_instead_of_100_continue_ends_the_connection(path: str) -> None:
    async with serving() as served, served.client() as client:
        await client.send(head(path, "Content-Length: 10", "Expect: 100-continue"))
        answer = await client.answer()
        assert (answer.status >= 400, answer.headers["connection"]) == (True, "close")
        await client.send(head("/smuggled", method="GET"))
        assert await client.ended() == b""
        assert [scope["path"] for scope in served.app.scopes] == [path]


async def test_a_body_is_asked_for_when_it_is_read() -> None:
    async with serving() as served, served.client() as client:
        await client.send(head("/read", "Content-Length: 2", "Expect: 100-continue"))
        assert (await client.answer()).status == 100
        await client.send(b"{}")
        assert (await client.answer()).status == 200
        assert served.app.bodies == [b"{}"]


async def gone(served: Served) -> None:
    await until(lambda: len(served.server.open) == 0)


@pytest.mark.parametrize("path", ["/early", "/close"])
async def test_dropped_input_is_bounded_in_bytes(path: str) -> None:
    async with serving(ConnectionLimits(linger_bytes=MIB, linger_s=600)) as served, served.client() as client:
        client.writer.write(head(path, "Content-Length: 999999999") + BODY)
        await client.ended()
        await gone(served)


@pytest.mark.parametrize("path", ["/early", "/close"])
async def test_dropped_input_is_bounded_in_time(path: str) -> None:
    async with serving(ConnectionLimits(linger_s=0.05)) as served, served.client() as client:
        await client.send(head(path, "Content-Length: 10"))
        assert (await client.answer()).status >= 400
        await gone(served)


async def test_an_answer_over_tls_is_read_before_the_connection_ends(tmp_path: Path) -> None:
    async with serving(ConnectionLimits(linger_s=0.5), tls=tmp_path) as served, served.client(served.trust()) as client:
        await client.send(whole("/close", "announced"))
        assert (await client.answer()).status == 413
        await gone(served)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /x HTTP/1.1\r\nA: " + b"x" * MIB, 431),
        (b"GET /" + b"x" * MIB, 431),
        (b"GET /x HTTP/1.1\r\n" + b"A: b\r\n" * 200_000, 431),
        (head("/read", CHUNKED) + b"2\r\n{}\r\n0\r\nA: " + b"x" * MIB, 400),
        (head("/read", CHUNKED) + b"2;" + b"x" * MIB, 400),
    ],
    ids=["value", "address", "lines", "trailer", "extension"],
)
async def test_a_head_or_a_framing_without_end_is_refused(sent: bytes, status: int) -> None:
    async with serving() as served, served.client() as client:
        await client.send(sent)
        assert (await client.answer()).status == status
        assert await client.ended() == b""
        assert [event["limit"] for event in served.events] == ["head_bytes"]


@pytest.mark.parametrize("sent", [b"zz\r\n", b"2\r\n{}{}\r\n", b"-1\r\n"])
async def test_a_body_that_cannot_be_read_is_refused_and_its_request_ended(sent: bytes) -> None:
    async with serving() as served, served.client() as client:
        await client.send(head("/read", CHUNKED))
        await until(lambda: bool(served.app.scopes))
        await client.send(sent)
        assert (await client.answer()).status == 400
        await until(lambda: served.app.bodies == [None])


async def test_many_requests_at_once_are_bounded() -> None:
    async with serving() as served, served.client() as client:
        await client.send(head("/hang", method="GET") * 2000)
        served.app.hanging.set()
        received = await client.ended()
        assert 100 < received.count(b"HTTP/1.1 200") < 2000
        assert received.count(b"HTTP/1.1 400") == 1


@pytest.mark.parametrize("waiting", [0, 1, 3])
async def test_an_exchange_learns_that_its_client_left_whatever_waits_behind_it(waiting: int) -> None:
    async with serving() as served:
        async with served.client() as client:
            await client.send(head("/x", method="GET") + head("/stay", method="GET") * (1 + waiting))
            await client.answer()
            await until(lambda: len(served.app.scopes) == 2)
        await until(lambda: served.app.left == 1)
        assert [scope["path"] for scope in served.app.scopes] == ["/x", "/stay"]


class Closed(asyncio.Transport):
    """A transport that is closed, and refuses what is written then, as uvloop's does."""

    def is_closing(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        raise RuntimeError(f"{len(data)} bytes are written to a closed transport")


async def test_an_answer_to_a_connection_that_is_closed_is_dropped() -> None:
    refusals = Refusals(lambda event, **fields: None, time.monotonic)
    connections = Connections(ConnectionLimits(), refusals, time.monotonic)
    connection = connections.admit("192.0.2.1", lambda why: None)
    assert connection is not None
    transport = Closed()
    line = ExchangeConnection(connections, connection, Outlet(transport, lambda: None), FlowControl(transport))
    exchange = HttpExchange(line, {"type": "http", "method": "GET"}, [], lambda: None)
    await exchange.send({"type": "http.response.start", "status": 200, "headers": []})
    await exchange.send({"type": "http.response.body", "body": b"x"})
    exchange.more_body = False
    assert (await exchange.receive())["type"] == "http.disconnect"
