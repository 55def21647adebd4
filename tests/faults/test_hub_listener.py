"""What clients do to the listener of a hub, byte by byte."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.wire import Got, Line
from tests.hubs import Hub, ground, serving


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncGenerator[Hub]:
    async with serving(ground(tmp_path)) as made:
        yield made


async def asked(hub: Hub, head: str, body: bytes) -> Got:
    lines = f"{head}\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    return await Line(hub.url).exchange(lines.encode() + body)


@pytest.mark.parametrize("together", [True, False])
async def test_a_token_in_a_trailer_is_no_token(hub: Hub, together: bool) -> None:
    token = f"Authorization: Bearer {hub.ground.tokens['publisher']}\r\n".encode()
    first, last = (b"\r\n", token) if together else (token + b"\r\n", b"")
    head = "PUT /v1/assignments HTTP/1.1"
    got = await asked(hub, head, first + b"2\r\n{}\r\n0\r\n" + last + b"\r\n")
    assert (got.status == 401) is together


async def test_a_hub_speaks_http_1_1_only(hub: Hub) -> None:
    got = await asked(hub, "GET /livez HTTP/2.0", b"\r\n0\r\n\r\n")
    assert (got.status, "HTTP/2.0" in got.json["error"]) == (505, True)


async def test_a_body_that_is_too_large_for_a_hub_is_answered(hub: Hub) -> None:
    token = f"Authorization: Bearer {hub.ground.tokens['publisher']}\r\n\r\n".encode()
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    got = await asked(hub, "PUT /v1/assignments HTTP/1.1", token + chunk * 5 + b"0\r\n\r\n")
    assert (got.status, got.finished) == (413, True)
