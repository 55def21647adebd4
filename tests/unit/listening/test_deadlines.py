"""Each phase of a connection has a deadline, and a client that makes progress is not disconnected."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from gateway.listening.limits import ConnectionLimits
from tests.unit.listening.support import BIG, CHUNKED, Client, Served, head, serving, until

LONG = 600.0
GET = head("/x", method="GET")


def limits(**short: float) -> ConnectionLimits:
    """Return limits of which only these are short."""
    long = dict.fromkeys(("head_s", "body_s", "stall_s", "idle_s", "linger_s"), LONG)
    return ConnectionLimits(**{**long, **short})  # pyright: ignore[reportArgumentType]


async def gone(served: Served) -> None:
    await until(lambda: len(served.server.open) == 0)


@pytest.mark.parametrize("sent", [b"G", GET[:-2], b"POST /x HTTP/1.1\r\nA: "])
async def test_half_a_head_is_refused_in_time(sent: bytes) -> None:
    async with serving(limits(head_s=0.05)) as served, served.client() as client:
        await client.send(sent)
        assert (await client.answer()).status == 408
        assert await client.ended() == b""
        assert [event["limit"] for event in served.events] == ["head_s"]


async def test_a_head_that_comes_byte_by_byte_gets_no_more_time() -> None:
    async with serving(limits(head_s=0.3)) as served, served.client() as client:

        async def trickle() -> None:
            while True:
                client.writer.write(b"a")
                await asyncio.sleep(0.01)  # noqa: TID251 - a client that sends a byte now and then

        await client.send(b"GET /x HTTP/1.1\r\nA: ")
        trickling = asyncio.create_task(trickle())
        assert (await client.answer()).status == 408
        trickling.cancel()


async def test_a_connection_that_sends_nothing_is_closed() -> None:
    async with serving(limits(head_s=0.05)) as served, served.client() as client:
        assert await client.ended() == b""
        await gone(served)


async def test_an_idle_connection_is_closed_although_it_has_sent_an_empty_line() -> None:
    async with serving(limits(idle_s=0.05)) as served, served.client() as client:
        await client.send(GET)
        assert (await client.answer()).status == 200
        client.writer.write(b"\r\n")
        assert await client.ended() == b""
        await gone(served)


async def test_half_a_head_after_an_answer_is_refused_in_time() -> None:
    async with serving(limits(head_s=0.05)) as served, served.client() as client:
        await client.send(GET + GET[:5])
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 408


@pytest.mark.parametrize("short", ["stall_s", "body_s"])
@pytest.mark.parametrize("framing", ["Content-Length: 10", CHUNKED])
async def test_a_body_that_stops_is_refused_in_time(short: str, framing: str) -> None:
    async with serving(limits(**{short: 0.05})) as served, served.client() as client:
        await client.send(head("/read", framing) + b"2\r\n{}\r\n")
        assert (await client.answer()).status == 408
        assert await client.ended() == b""
        assert served.app.bodies == [None]


async def test_a_body_that_comes_byte_by_byte_has_a_limit_as_a_whole() -> None:
    async with serving(limits(body_s=0.3)) as served, served.client() as client:

        async def trickle() -> None:
            while True:
                client.writer.write(b"a")
                await asyncio.sleep(0.01)  # noqa: TID251 - a client that sends a byte now and then

        await client.send(head("/read", "Content-Length: 1000000"))
        trickling = asyncio.create_task(trickle())
        assert (await client.answer()).status == 408
        trickling.cancel()


async def test_a_body_that_the_application_does_not_await_has_no_deadline() -> None:
    async with serving(limits(body_s=0.05, stall_s=0.05)) as served, served.client() as client:
        await client.send(head("/hang", "Content-Length: 10") + b"{}")
        await until(lambda: bool(served.app.scopes))
        served.server.open.sweep()
        served.app.hanging.set()
        assert (await client.answer()).status == 200


async def test_an_exchange_under_way_has_no_deadline() -> None:
    short = ConnectionLimits(head_s=0.05, body_s=0.05, stall_s=0.05, idle_s=0.05, linger_s=0.05)
    async with serving(short) as served, served.client() as client:
        await client.send(head("/hang", method="GET"))
        await until(lambda: bool(served.app.scopes))
        async with served.client() as other:
            assert await other.ended() == b""  # its deadline has passed meanwhile
        served.app.hanging.set()
        assert (await client.answer()).status == 200


async def test_a_client_that_does_not_read_its_answer_is_cut_off() -> None:
    async with serving(limits(stall_s=0.05)) as served, served.client() as client:
        stuck(client)
        await client.send(head("/big", method="GET"))
        await gone(served)
        assert "stall_s" in [event["limit"] for event in served.events]


async def test_a_client_that_reads_slowly_gets_its_whole_answer() -> None:
    async with serving(limits(stall_s=5)) as served, served.client() as client:
        await client.send(head("/big", method="GET"))
        assert len((await client.answer()).body) == BIG


def stuck(client: Client) -> None:
    """Let a client read nothing."""
    cast("asyncio.Transport", client.writer.transport).pause_reading()


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"])
async def test_a_handshake_that_does_not_finish_is_ended(sent: bytes, tmp_path: Path) -> None:
    async with serving(limits(head_s=0.05), tls=tmp_path) as served, served.client() as client:
        await client.send(sent)
        await client.ended()
        await gone(served)


async def test_a_request_over_tls_is_answered(tmp_path: Path) -> None:
    async with serving(tls=tmp_path) as served, served.client(served.trust()) as client:
        await client.send(GET)
        assert (await client.answer()).status == 200
        assert len(served.server.open) == 1
