"""A response is written as one piece of head and body."""

import asyncio

import pytest

from gateway.listening.http_exchange import Outlet
from tests.unit.listening.support import PATIENCE_S, head, serving


class Written(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return False


def test_a_head_is_written_together_with_the_next_piece() -> None:
    transport = Written()
    outlet = Outlet(transport, lambda: None)
    outlet.hold()
    outlet.write(b"head ")
    assert transport.pieces == []
    outlet.write(b"body")
    outlet.write(b"more")
    assert transport.pieces == [b"head body", b"more"]


def test_a_delayed_write_is_sent_before_the_connection_ends() -> None:
    transport = Written()
    outlet = Outlet(transport, lambda: transport.pieces.append(b"end"))
    outlet.hold()
    outlet.write(b"head")
    outlet.close()
    assert transport.pieces == [b"head", b"end"]


async def test_a_response_without_a_body_comes_before_the_next_refusal() -> None:
    async with serving() as served, served.client() as client:
        await client.send(head("/x", method="HEAD") + b"GARBAGE\r\n\r\n")
        got = await client.ended()
    assert got.index(b"HTTP/1.1 200") < got.index(b"HTTP/1.1 400")


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
async def test_an_answer_without_a_body_is_written_at_once(connection: str) -> None:
    async with serving() as served, served.client() as client:
        await client.send(head("/x", f"Connection: {connection}", method="HEAD"))
        async with asyncio.timeout(PATIENCE_S):
            got = await client.reader.readuntil(b"\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 200")
        assert b"content-length" in got
