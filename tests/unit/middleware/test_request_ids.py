"""Ids of requests."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from gateway.listening.request_id import RequestId, request_id_of
from gateway.middleware import RequestIds, current
from tests.unit.middleware.support import Inner, asked


async def test_every_answer_carries_a_name_of_its_own() -> None:
    app = RequestIds(Inner(), "abc")
    names = [dict((await asked(app, []))[0]["headers"])[b"x-request-id"] for _ in range(2)]
    assert names == [b"abc-1", b"abc-2"]


@pytest.mark.parametrize("name", ["other", "3f0b6a9e-58f1-4c3e-9f5e-0a7f6f1f1c11", "01HXYZ.7_a", "x" * 64])
async def test_a_clients_own_name_is_taken_over_if_it_is_well_formed(name: str) -> None:
    inner = Inner()
    sent = await asked(RequestIds(inner, "abc"), [(b"x-request-id", name.encode())])
    assert sent[0]["headers"] == [(b"a", b"b"), (b"x-request-id", name.encode())]
    assert request_id_of(inner.scopes[0]) == RequestId(name, given=True)


@pytest.mark.parametrize(
    "lines",
    [
        [b"a\r\nset-cookie: x=1"],
        [b'a\n{"level":"error"}'],
        [b"\x1b[2J"],
        [b'a","outcome":"deny'],
        [b"a b"],
        [b"../../etc"],
        [b"-a"],
        ["ü".encode()],
        [b"x" * 65],
        [b""],
        [b"one", b"two"],
        [b"same", b"same"],
        [b"one, two"],
        [b"ghp_abcdefghijklmnopqrstuvwxyz0123456789"],
    ],
)
async def test_a_hostile_name_is_replaced_and_written_nowhere(lines: list[bytes]) -> None:
    inner = Inner()
    sent = await asked(RequestIds(inner, "abc"), [(b"x-request-id", line) for line in lines])
    assert sent[0]["headers"] == [(b"a", b"b"), (b"x-request-id", b"abc-1")]
    assert request_id_of(inner.scopes[0]) == RequestId("abc-1")


@given(st.binary(max_size=80))
async def test_no_name_can_break_a_header_or_a_line(name: bytes) -> None:
    sent = await asked(RequestIds(Inner(), "abc"), [(b"x-request-id", name)])
    assert re.fullmatch(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", dict(sent[0]["headers"])[b"x-request-id"])


async def test_the_name_is_known_while_the_request_lasts() -> None:
    known: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        known.append(current.get())

    await asked(RequestIds(inner, "abc"), [])
    assert (known, current.get()) == (["abc-1"], "")


async def test_other_scopes_have_no_name() -> None:
    inner = Inner()
    assert await asked(RequestIds(inner), [], type="lifespan") == []
    assert len(inner.scopes) == 1
