import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.opa.transport import MAX_ANSWER, Broken, Exchanged, Transport
from gateway.opa.unix_transport import UnixTransport
from tests.opas import aiohttp_unix_transport
from tests.unit.opa.stub import HANG_UP, SILENCE, Stub, http
from tests.unit.opa.support import until

Make = Callable[[Path, int], Transport]
BOTH = pytest.mark.parametrize("make", [UnixTransport, aiohttp_unix_transport])


@BOTH
async def test_an_answer_comes_back_whole(make: Make, tmp_path: Path) -> None:
    body = b"x" * 300_000
    async with Stub(tmp_path / "s", http(body, "500 Internal Server Error")) as stub:
        carrier = make(stub.path, 4)
        assert await carrier.exchange("/v1/x?y=1", b"{}") == Exchanged(500, body)
        assert stub.asked[0].startswith(b"POST /v1/x?y=1 HTTP/1.1\r\n")
        assert b"content-type: application/json\r\n" in stub.asked[0].lower()
        await carrier.close()


@BOTH
async def test_a_question_without_a_body_is_a_get(make: Make, tmp_path: Path) -> None:
    async with Stub(tmp_path / "s", http(b"{}")) as stub:
        carrier = make(stub.path, 4)
        assert await carrier.exchange("/health?bundles") == Exchanged(200, b"{}")
        assert stub.asked[0].startswith(b"GET /health?bundles HTTP/1.1\r\n")
        await carrier.close()


@BOTH
async def test_connections_are_kept_and_their_number_is_limited(make: Make, tmp_path: Path) -> None:
    async with Stub(tmp_path / "s", http(b"{}")) as stub:
        carrier = make(stub.path, 4)
        for _ in range(5):
            await asyncio.gather(*(carrier.exchange("/", b"{}") for _ in range(20)))
        assert len(stub.asked) == 100
        assert stub.connections <= 4
        await carrier.close()


@BOTH
async def test_answers_do_not_get_mixed_up(make: Make, tmp_path: Path) -> None:
    async with Stub(tmp_path / "s", *(http(b"%d" % number) for number in range(64)), http(b"end")) as stub:
        carrier = make(stub.path, 8)
        answers = await asyncio.gather(*(carrier.exchange("/", b"{}") for _ in range(64)))
        bodies = {answer.body for answer in answers if isinstance(answer, Exchanged)}
        assert bodies == {b"%d" % number for number in range(64)}
        await carrier.close()


@BOTH
async def test_an_unreachable_socket_is_a_broken_exchange(make: Make, tmp_path: Path) -> None:
    carrier = make(tmp_path / "nobody", 4)
    assert isinstance(await carrier.exchange("/", b"{}"), Broken)
    await carrier.close()


@BOTH
async def test_a_kept_connection_that_died_is_replaced_once(make: Make, tmp_path: Path) -> None:
    async with Stub(tmp_path / "s", http(b"1"), HANG_UP, http(b"2")) as stub:
        carrier = make(stub.path, 1)
        assert await carrier.exchange("/", b"{}") == Exchanged(200, b"1")
        assert await carrier.exchange("/", b"{}") == Exchanged(200, b"2")
        assert (len(stub.asked), stub.connections) == (3, 2)
        await carrier.close()


@BOTH
async def test_a_server_that_always_hangs_up_is_not_asked_for_ever(make: Make, tmp_path: Path) -> None:
    async with Stub(tmp_path / "s", http(b"1"), HANG_UP) as stub:
        carrier = make(stub.path, 1)
        await carrier.exchange("/", b"{}")
        assert isinstance(await carrier.exchange("/", b"{}"), Broken)
        assert len(stub.asked) == 3
        await carrier.close()


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
        b"\x00" * 64,
    ],
)
async def test_garbage_is_broken(make: Make, answer: bytes, tmp_path: Path) -> None:
    async with Stub(tmp_path / "s", answer) as stub:
        carrier = make(stub.path, 1)
        assert isinstance(await carrier.exchange("/", b"{}"), Broken)
        await carrier.close()


@BOTH
async def test_a_connection_that_breaks_within_a_response_is_broken_and_not_retried(make: Make, tmp_path: Path) -> None:
    async with Stub(tmp_path / "s", http(b"1"), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nha", http(b"3")) as stub:
        carrier = make(stub.path, 1)
        await carrier.exchange("/", b"{}")
        asking = asyncio.create_task(carrier.exchange("/", b"{}"))
        await until(lambda: len(stub.asked) == 2)
        stub.hang_up()
        assert isinstance(await asking, Broken)
        assert len(stub.asked) == 2
        await carrier.close()


@BOTH
async def test_an_answer_that_is_too_large_is_broken(make: Make, tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_ANSWER + 1)
    async with Stub(tmp_path / "s", head + b"x" * (MAX_ANSWER + 1)) as stub:
        carrier = make(stub.path, 1)
        assert isinstance(await carrier.exchange("/", b"{}"), Broken)
        await carrier.close()


@BOTH
async def test_giving_up_closes_the_connection_so_that_opa_stops_evaluating(make: Make, tmp_path: Path) -> None:
    async with Stub(tmp_path / "s", SILENCE) as stub:
        carrier = make(stub.path, 1)
        asking = asyncio.create_task(carrier.exchange("/", b"{}"))
        await until(lambda: len(stub.asked) == 1)
        asking.cancel()
        await asyncio.wait([asking])
        await asyncio.wait_for(stub.gone.wait(), 5)
        await carrier.close()


@BOTH
async def test_a_question_given_up_does_not_spoil_the_next(make: Make, tmp_path: Path) -> None:
    async with Stub(tmp_path / "s", http(b"1"), SILENCE, http(b"3")) as stub:
        carrier = make(stub.path, 1)
        await carrier.exchange("/", b"{}")
        asking = asyncio.create_task(carrier.exchange("/", b"{}"))
        await until(lambda: len(stub.asked) == 2)
        asking.cancel()
        await asyncio.wait([asking])
        assert await carrier.exchange("/", b"{}") == Exchanged(200, b"3")
        await carrier.close()


async def test_bytes_without_a_request_close_the_connection(tmp_path: Path) -> None:
    async with Stub(tmp_path / "s", http(b"1") + http(b"smuggled"), http(b"2")) as stub:
        carrier = UnixTransport(stub.path, 1)
        assert await carrier.exchange("/", b"{}") == Exchanged(200, b"1")
        assert await carrier.exchange("/", b"{}") == Exchanged(200, b"2")
        assert stub.connections == 2
        await carrier.close()
