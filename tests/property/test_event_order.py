"""Events before, between and after the response, in any order and cut anywhere: one answer, and every message once."""

import asyncio
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FakeReply, World
from tests.unit.server.client import Browser

DONE = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
NOTE = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%d}}'
MESSAGES = st.integers(0, 9).map(lambda number: NOTE % number)
NOISE = st.sampled_from([b"", b"x", b"[]", b"null", b"{}", DONE.replace(b":1,", b":2,"), DONE.replace(b"2.0", b"1")])
FORMS = st.sampled_from([b"1", b'"1"', b"1.0", b'"1.0"'])
PREFIX = st.sampled_from(
    [b"", b": c\n", b"id: 7\n", b"retry: 3\n", b"event: message\n", b"event: ping\n", b":\n\n:\n\n"]
)
EVENTS = st.tuples(PREFIX, MESSAGES | NOISE)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(EVENTS, max_size=8), FORMS, st.lists(EVENTS, max_size=8), ENDS, st.lists(st.integers(1, 400)))
def test_a_request_has_one_answer_and_every_message_before_it(
    before: list[tuple[bytes, bytes]], form: bytes, after: list[tuple[bytes, bytes]], end: bytes, cuts: list[int]
) -> None:
    answer = DONE.replace(b":1,", b":" + form + b",")
    raw = b"".join(prefix + b"data: " + data + b"\n\n" for prefix, data in [*before, (b"", answer), *after])
    raw = raw.replace(b"\n", end)
    pieces = list[bytes]()
    for size in cuts:
        pieces.append(raw[:size])
        raw = raw[size:]

    def upstream(message: dict[str, Any]) -> FakeReply:
        return FakeReply(*pieces, raw, media="sse") if message.get("method") == "tools/call" else FakeReply(b"")

    world = World(upstream=upstream)
    got = asyncio.run(Browser(world).legacy("tools/call", {"name": "t"}))
    notes = [data for prefix, data in before if b"method" in data and prefix != b"event: ping\n"]
    assert [orjson.dumps(event) for event in got.events] == [*notes, DONE]
    assert got.finished
    assert world.journal.completions[-1].outcome == "answered"
