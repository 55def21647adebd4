"""What clients do to the listener of a real gateway, byte by byte: nothing is faked, nobody is shut out."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Final

import pytest
import pytest_asyncio

from tests.faults.behind import Behind, answered, standing
from tests.faults.wire import Got, Lines, call, modern
from tests.running import until
from tests.servers.scripted import Received, Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORIGIN: Final = "https://console.example.com"
BIG: Final = b" " * (5 * 1024 * 1024)
CALL: Final = modern("tools/call", "echo")
CHUNKED: Final = ("Transfer-Encoding", "chunked")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    listen = {"port": 0, "connections": 60, "allowed_origins": [ORIGIN], "head_s": 600, "stall_s": 600}
    settings = {"listen": listen, "limits": {"unread_bytes": 20 * 1024 * 1024}}
    async with standing(tmp_path_factory.mktemp("gateway"), settings=settings) as made:
        yield made


def chunked(body: bytes, *trailers: tuple[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailers).encode()
    return b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, lines)


@pytest.mark.parametrize(
    "trailer",
    [("Host", "evil.example"), ("Origin", "http://evil.example"), ("Mcp-Name", "delete"), ("Authorization", "x")],
)
async def test_a_call_with_a_trailer_is_judged_without_it(behind: Behind, trailer: tuple[str, str]) -> None:
    got = await behind.line.exchange(behind.line.head((*CALL, CHUNKED)) + chunked(call(), trailer))
    assert (got.status, got.message["result"]["content"]) == (200, [])


@pytest.mark.parametrize(("missing", "value"), [("Mcp-Name", "echo"), ("Content-Type", "application/json")])
async def test_a_trailer_does_not_stand_for_a_missing_header(behind: Behind, missing: str, value: str) -> None:
    lines = tuple(line for line in CALL if line[0] != missing)
    got = await behind.line.exchange(behind.line.head((*lines, CHUNKED)) + chunked(call(), (missing, value)))
    assert got.status in {400, 415}


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://evil.example", 403),
        ("http://{host}:{port}", 200),
        ("ftp://{host}:{port}", 400),
        ("http://localhost", 403),
    ],
)
async def test_an_absolute_target_counts_as_host(behind: Behind, target: str, status: int) -> None:
    prefix = target.format(host=behind.line.host, port=behind.line.port)
    sent = behind.line.posted().replace(b"POST /", f"POST {prefix}/".encode(), 1)
    assert (await behind.line.exchange(sent)).status == status


@pytest.mark.parametrize(("version", "status"), [("HTTP/2.0", 505), ("HTTP/3.0", 505), ("HTTP/1.0", 200)])
async def test_a_version_that_is_not_spoken_is_505(behind: Behind, version: str, status: int) -> None:
    sent = behind.line.posted().replace(b"HTTP/1.1", version.encode(), 1)
    assert (await behind.line.exchange(sent)).status == status


async def refused(behind: Behind, lines: Lines, *, how: str = "announced", path: str = "") -> Got:
    """Return the answer to a client that writes a large body whole before it reads."""
    framing = CHUNKED if how == "chunked" else ("Content-Length", str(len(BIG)))
    head = behind.line.head((*lines, framing)).replace(behind.line.path.encode(), (path or behind.line.path).encode())
    return await behind.line.exchange(head + (chunked(BIG) if how == "chunked" else BIG))


@pytest.mark.parametrize("how", ["announced", "chunked"])
async def test_a_body_that_is_too_large_is_413_and_its_client_can_read_that(behind: Behind, how: str) -> None:
    got = await refused(behind, CALL, how=how)
    assert (got.status, got.finished, got.json["error"]["code"]) == (413, True, -32600)


async def test_a_body_that_is_too_large_is_not_asked_for(behind: Behind) -> None:
    lines = (*CALL, ("Content-Length", str(len(BIG))), ("Expect", "100-continue"))
    assert (await behind.line.exchange(behind.line.head(lines))).status == 413


@pytest.mark.parametrize(
    ("lines", "path", "status"),
    [
        ((*CALL, ("Origin", "http://evil.example")), "", 403),
        ((("Content-Type", "text/plain"), *CALL[1:]), "", 413),
        (CALL, "/nowhere", 413),
        ((*CALL, ("X-Long", "x" * 40_000)), "", 431),
        ((*CALL, ("X-Long", "x" * 400_000)), "", 431),
    ],
    ids=["origin", "media", "path", "head", "long head"],
)
async def test_every_early_refusal_can_be_read(behind: Behind, lines: Lines, path: str, status: int) -> None:
    got = await refused(behind, lines, path=path)
    assert (got.status, got.finished) == (status, True)
    assert got.json["jsonrpc"] == "2.0"


async def test_half_heads_do_not_block_other_clients(behind: Behind) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(200):
            _, writer = await stack.enter_async_context(behind.line.opened())
            writer.write(behind.line.head(CALL)[:40])
        for _ in range(5):
            assert (await behind.line.called()).status == 200
        assert (await behind.gateway.readiness())["ready"] is True
    log = behind.gateway.log.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in log.splitlines() if '"connections_refused"' in line]
    assert {line["level"] for line in lines} == {"warning"}
    assert len(lines) < 10


async def test_a_page_of_an_allowed_origin_asks_first_and_reads_every_answer(behind: Behind) -> None:
    before = behind.known()
    asks = (
        ("Origin", ORIGIN),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type,mcp-method,mcp-param-x,cookie"),
    )
    allowed = await behind.line.exchange(behind.line.head(asks, verb="OPTIONS"))
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (204, ORIGIN)
    assert allowed.headers["access-control-allow-headers"] == "content-type, mcp-method, mcp-param-x"
    assert behind.known() == before
    for got in (
        await behind.line.called("echo", {}, ("Origin", ORIGIN)),
        await behind.line.post(b"{", *CALL, ("Origin", ORIGIN)),
        await refused(behind, (*CALL, ("Origin", ORIGIN))),
        await refused(behind, (*CALL, ("Origin", ORIGIN)), path="/nowhere"),
    ):
        assert got.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in got.headers["access-control-expose-headers"]


@pytest.mark.parametrize("lines", [(), (("Access-Control-Request-Method", "POST"),)])
async def test_options_without_an_origin_is_405(behind: Behind, lines: Lines) -> None:
    got = await behind.line.exchange(behind.line.head(lines, verb="OPTIONS"))
    assert (got.status, got.headers["allow"]) == (405, "POST, GET, DELETE")


async def test_many_that_do_not_read_are_cut_off_and_others_are_served(behind: Behind) -> None:
    text = "x" * (7 * 1024 * 1024)

    def long(received: Received) -> Script:
        return answered(received, {"content": [{"type": "text", "text": text}], "resultType": "complete"})

    async def cut_off() -> bool | None:
        return '"limit":"unread_bytes"' in behind.gateway.log.read_text(encoding="utf-8") or None

    behind.server.reply = long
    async with AsyncExitStack() as stack:
        for _ in range(8):
            _, writer = await stack.enter_async_context(behind.line.opened())
            writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            writer.write(behind.line.posted())
        await until(cut_off, lambda: "every client that does not read keeps its answer")
        behind.server.begin()
        assert (await behind.line.called()).status == 200
