"""Trailers are never headers, whenever they arrive."""

import gc
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.listening.http_protocol import HttpProtocol
from tests.unit.listening.support import CHUNKED, head, serving

TRAILERS: Final = {
    "authorization": "Bearer stolen",
    "host": "evil.example",
    "origin": "http://evil.example",
    "mcp-method": "tools/list",
    "mcp-name": "delete",
    "mcp-session-id": "forged",
    "content-length": "3",
    "content-type": "text/plain",
    "x-forwarded-for": "203.0.113.9",
    "expect": "100-continue",
    "connection": "close",
    "transfer-encoding": "gzip",
}
FIRST: Final = head("/read", CHUNKED, "X-Own: 1")
OWN: Final = {"host": ["a"], "transfer-encoding": ["chunked"], "x-own": ["1"]}


def trailing(*names: str) -> bytes:
    return b"2\r\n{}\r\n0\r\n" + "".join(f"{name}: {TRAILERS[name]}\r\n" for name in names).encode() + b"\r\n"


@pytest.mark.parametrize("name", [name for name in TRAILERS if name not in {"content-length", "transfer-encoding"}])
@pytest.mark.parametrize("packets", ["one", "two", "three"])
async def test_a_trailer_is_not_a_header(name: str, packets: str) -> None:
    body = trailing(name)
    cut = body.index(b"0\r\n")
    pieces = {
        "one": [FIRST + body],
        "two": [FIRST, body],
        "three": [FIRST, body[: cut + 5], body[cut + 5 :]],
    }[packets]
    async with serving() as served, served.client() as client:
        for piece in pieces:
            await client.send(piece)
        answer = await client.answer()
        assert (answer.status, answer.seen) == (200, OWN)
        assert served.app.bodies == [b"{}"]


@pytest.mark.parametrize("name", ["content-length", "transfer-encoding"])
async def test_a_trailer_that_frames_is_dropped_or_refused(name: str) -> None:
    async with serving() as served:
        answer = await served.ask(FIRST + trailing(name))
        assert answer.status == 400 or answer.seen == OWN


async def test_a_trailer_does_not_reach_the_next_request_of_the_connection() -> None:
    second = head("/read", "X-Second: 1", "Content-Length: 0")
    async with serving() as served, served.client() as client:
        await client.send(FIRST + trailing("authorization", "host") + second + FIRST + trailing("origin"))
        assert (await client.answer()).seen == OWN
        assert (await client.answer()).seen == {"host": ["a"], "x-second": ["1"], "content-length": ["0"]}
        assert (await client.answer()).seen == OWN
        await client.send(second)
        assert (await client.answer()).status == 200


async def test_an_idle_connection_holds_no_trailers() -> None:
    async with serving() as served, served.client() as client:
        await client.send(
            FIRST + trailing(*(name for name in TRAILERS if "-encoding" not in name and name != "content-length"))
        )
        assert (await client.answer()).status == 200
        made = [each for each in gc.get_objects() if type(each) is HttpProtocol and hasattr(each, "_lingering")]
        assert [each.headers for each in made if not each.transport.is_closing()] == [[]]


async def test_a_trailer_of_a_body_that_is_not_read_is_dropped() -> None:
    early = head("/early", CHUNKED)
    async with serving() as served, served.client() as client:
        await client.send(early + trailing("authorization") + FIRST + trailing("mcp-name"))
        assert (await client.answer()).seen == {"host": ["a"], "transfer-encoding": ["chunked"]}
        assert (await client.answer()).seen == OWN


@given(
    names=st.lists(st.sampled_from(sorted(set(TRAILERS) - {"content-length", "transfer-encoding"})), max_size=4),
    cuts=st.lists(st.integers(1, 200), max_size=4),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_trailers_are_dropped_however_a_request_is_cut(names: list[str], cuts: list[int]) -> None:
    data = FIRST + trailing(*names)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    async with serving() as served, served.client() as client:
        for begin, end in pairwise(edges):
            await client.send(data[begin:end])
        assert (await client.answer()).seen == OWN
