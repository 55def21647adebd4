"""Answers to large messages, and to small ones while large ones wait."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from gateway.admission.principal import ANONYMOUS
from gateway.admission.record import Decided
from gateway.pipeline.heavy_turns import LARGE, Sender
from tests.fakes import World
from tests.unit.server.client import Browser
from tests.unit.server.test_endpoint import called
from tests.unit.server.test_exchange_limits import Counted

NOTE: Final = "x" * LARGE
LARGE_CALL: dict[str, Any] = {"name": "t", "arguments": {"a": 1}, "_meta": {"example.com/note": NOTE}}
OTHER = Sender(principal=ANONYMOUS, source_ip="192.0.2.77")


async def test_a_large_call_reaches_the_server_as_it_came_and_is_recorded_like_a_small_one() -> None:
    world = World(upstream=called)
    browser = Browser(world)
    small = await browser.legacy("tools/call", {"name": "t", "arguments": {"a": 1}})
    large = await browser.legacy("tools/call", LARGE_CALL)

    assert (small.status, large.status) == (200, 200)
    assert len(world.upstream.forwards[-1].permit.outbound.body) > LARGE
    first, second = [record for record in world.journal.records if isinstance(record, Decided)][-2:]
    assert first.arguments == second.arguments
    assert first.arguments.digest.startswith("hmac-sha256:")


async def test_large_messages_wait_for_their_turn_and_small_ones_do_not() -> None:
    world = World(upstream=called)
    browser = Browser(world)
    await browser.legacy("tools/call", {"name": "t", "arguments": {}})
    async with world.pipeline.engine.parts.turns.turn(OTHER):
        waiting = [asyncio.create_task(browser.legacy("tools/call", LARGE_CALL)) for _ in range(20)]
        small = await browser.legacy("tools/call", {"name": "t", "arguments": {}})
        assert small.status == 200
        assert not any(task.done() for task in waiting)
    answers = await asyncio.gather(*waiting)
    assert [got.status for got in answers] == [200] * 20
    assert not any(got.json["result"].get("isError") for got in answers)


async def test_a_large_message_is_not_read_if_its_client_has_gone_when_its_turn_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(upstream=called)
    browser, counted = Browser(world), Counted()
    browser.endpoint = counted.around(browser.endpoint)  # pyright: ignore[reportAttributeAccessIssue]
    await browser.legacy("tools/call", {"name": "t", "arguments": {}})
    recorded = len(world.journal.records)
    turns, entered = world.pipeline.engine.parts.turns, asyncio.Event()
    taking = turns.turn

    @asynccontextmanager
    async def noted(sender: Sender) -> AsyncGenerator[None]:
        entered.set()
        async with taking(sender):
            yield

    async with turns.turn(OTHER):
        monkeypatch.setattr(turns, "turn", noted)
        waiting = asyncio.create_task(browser.legacy("tools/call", LARGE_CALL))
        await asyncio.wait_for(entered.wait(), 20)
        counted.connection.open = False
    await waiting
    assert [record.code for record in world.journal.records[recorded:]] == ["body_incomplete"]
