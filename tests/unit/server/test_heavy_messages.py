"""What callers get for large messages, and for small ones while large ones wait."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec.structs import replace

from gateway.admission.principal import ANONYMOUS
from gateway.admission.record import Decided, Refused
from gateway.pipeline import Pipeline
from gateway.pipeline.heavy_turns import TOO_MANY, WAITING, HeavyTurns, Sender
from gateway.pipeline.turns import LARGE
from gateway.protocol.errors import DECISION_KEY
from tests.fakes import World
from tests.unit.server.client import Browser, Got
from tests.unit.server.test_endpoint import called

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


async def test_a_caller_with_too_many_large_messages_is_refused_with_that_reason() -> None:
    world = World(upstream=called)
    browser = Browser(world)
    await browser.legacy("tools/call", {"name": "t", "arguments": {}})
    async with world.pipeline.engine.parts.turns.turn(OTHER, LARGE):
        waiting = [asyncio.create_task(browser.legacy("tools/call", LARGE_CALL)) for _ in range(WAITING + 1)]
        refused: Got = await next(asyncio.as_completed(waiting))
        small = await browser.legacy("tools/call", {"name": "t", "arguments": {}})
    assert refused.status == 200  # an HTTP error would end the session of some clients
    assert refused.json["result"]["_meta"][DECISION_KEY]["code"] == "too_many_questions"
    assert TOO_MANY in refused.json["result"]["content"][0]["text"]
    assert small.status == 200
    statuses = sorted(got.status for got in await asyncio.gather(*waiting))
    assert statuses == [200] * (WAITING + 1)
    assert "too_many_questions" in {record.code for record in world.journal.records if isinstance(record, Refused)}


class CrowdedLater(HeavyTurns):
    """Turns that a message gets to be read, but not to be asked about."""

    def __init__(self) -> None:
        super().__init__()
        self._read = False

    @asynccontextmanager
    async def turn(self, sender: Sender, size: int) -> AsyncGenerator[bool]:
        async with super().turn(sender, size) as taken:
            yield taken and not self._read
        self._read = True


async def test_a_call_that_cannot_be_asked_about_for_its_callers_own_messages_is_refused_in_its_form() -> None:
    world = World(upstream=called)
    await Browser(world).legacy("tools/call", {"name": "t", "arguments": {}})
    forwarded = len(world.upstream.forwards)
    world.pipeline = Pipeline(replace(world.pipeline.engine.parts, turns=CrowdedLater()), ttl_cap_ms=1000)
    got = await Browser(world).legacy("tools/call", LARGE_CALL)

    assert got.status == 200
    assert got.json["result"]["isError"] is True
    assert got.json["result"]["_meta"][DECISION_KEY]["code"] == "too_many_questions"
    assert not any(NOTE.encode() in forward.permit.outbound.body for forward in world.upstream.forwards[forwarded:])
    last = world.journal.records[-1]
    assert isinstance(last, Decided)
    assert last.code == "too_many_questions"
