"""Replies to a notification: whatever a server says with a 2xx, the message is accepted."""

import asyncio
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from gateway.pipeline.ports import Media
from tests.fakes import FakeReply, World
from tests.unit.server.client import JSON, Browser

HEADERS = st.sampled_from(["content-type", "content-length", "retry-after", "allow"])


@given(
    st.integers(200, 299),
    st.binary(max_size=80),
    st.sampled_from(get_args(Media)),
    st.lists(st.tuples(HEADERS, st.sampled_from(["", "7", "text/html", "application/json"])), max_size=3),
)
def test_whatever_a_server_says_with_a_2xx_is_acceptance(
    status: int, body: bytes, media: Media, headers: list[tuple[str, str]]
) -> None:
    world = World(upstream=lambda _: FakeReply(body, status=status, media=media, headers=tuple(headers)))
    message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    got = asyncio.run(Browser(world).send(message, *JSON, ("mcp-protocol-version", "2025-11-25")))
    assert (got.status, got.body, got.finished) == (202, b"", True)
    assert world.journal.completions[-1].outcome == "answered"
