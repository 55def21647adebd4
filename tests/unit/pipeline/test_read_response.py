"""Replies that the gateway reads for itself: it finds the one response without blocking the event loop."""

import asyncio
from typing import Final, Self

import pytest

from gateway.definitions.cache import DefinitionCache
from gateway.pipeline.list_results import read_into
from gateway.pipeline.loop_turns import LongWork, TurnBudget
from gateway.pipeline.ports import UpstreamFailure, ViewKey
from gateway.pipeline.read_response import WholeReply
from gateway.protocol.message import Notification, Response
from gateway.shared_counters import alone
from tests.fakes import FakeReply

RESPONSE: Final = b'data: {"jsonrpc":"2.0","id":"gw","result":{"tools":[]}}\n\n'
NEWS: Final = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'


class Loop:
    """Counts the turns of the event loop while something runs."""

    def __init__(self) -> None:
        self.turns = 0
        self._ended = False

    def __enter__(self) -> Self:
        self._turn()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True

    def _turn(self) -> None:
        self.turns += 1
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._turn)


def reading(body: bytes, *, limit: int = 1_000_000) -> tuple[WholeReply, list[Notification]]:
    noticed = list[Notification]()
    budget = TurnBudget(LongWork(), "key")
    return WholeReply(FakeReply(body, media="sse"), "gw", limit=limit, noticed=noticed.append, budget=budget), noticed


@pytest.mark.parametrize("noise", [b"data:{}\n\n", b"data\n\n", b":\n", NEWS])
async def test_a_chunk_of_many_events_does_not_hold_the_event_loop(noise: bytes) -> None:
    reply, _ = reading(noise * (900_000 // len(noise)) + RESPONSE)
    with Loop() as loop:
        response = await reply.response()
    assert isinstance(response, Response)
    assert loop.turns > 5


async def test_news_before_the_response_are_noticed_and_those_after_it_are_not() -> None:
    reply, noticed = reading(NEWS + RESPONSE + NEWS)
    assert isinstance(await reply.response(), Response)
    assert len(noticed) == 1


async def test_content_beyond_the_limit_is_not_read() -> None:
    reply, _ = reading(b"data: " + b"x" * 2_000 + b"\n\n" + RESPONSE, limit=1_000)
    response = await reply.response()
    assert isinstance(response, UpstreamFailure)
    assert response.code == "result_too_large"


async def test_a_page_of_few_large_definitions_does_not_hold_the_event_loop() -> None:
    items = [{"name": f"t{number}", "inputSchema": {"enum": [*range(20_000)]}} for number in range(40)]
    view = ViewKey(server="s", credential="", revision="2025-11-25", session="")
    with DefinitionCache(alone(), max_age_s=60).draft(view, "tools/list", None) as draft, Loop() as loop:
        await read_into(draft, items, TurnBudget(LongWork(), "key"))
        assert all(draft.presented(f"t{number}") for number in range(40))
    assert loop.turns > 5
