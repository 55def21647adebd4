"""Exchanges that wait for a turn on the event loop."""

import asyncio
from itertools import pairwise

import pytest

from gateway.pipeline.turns import SLICE_S, TurnBudget, Turns


async def test_one_exchange_goes_on_in_each_turn_and_keys_alternate() -> None:
    turns, order = Turns(), list[str]()

    async def work(key: str, name: str) -> None:
        for _ in range(2):
            await turns.wait(key)
            order.append(name)

    greedy = [work("greedy", f"greedy{number}") for number in range(4)]
    async with asyncio.timeout(10):
        await asyncio.gather(*greedy, work("other", "other"))
    assert order[1] == "other"
    assert order[3] == "other"
    assert len(order) == 10


async def test_the_loop_serves_others_between_two_turns() -> None:
    turns, loop = Turns(), asyncio.get_running_loop()
    seen, went = list[int](), 0

    async def work() -> None:
        nonlocal went
        for _ in range(10):
            await turns.wait("key")
            went += 1

    def look() -> None:
        seen.append(went)
        if went < 20:
            loop.call_soon(look)

    look()
    async with asyncio.timeout(10):
        await asyncio.gather(work(), work())
    assert all(after - before <= 1 for before, after in pairwise(seen))


async def test_an_exchange_that_is_canceled_gives_its_turn_to_the_next() -> None:
    turns = Turns()
    canceled = asyncio.create_task(turns.wait("key"))
    waiting = asyncio.create_task(turns.wait("key"))
    await asyncio.wait({canceled}, timeout=0)
    canceled.cancel()
    async with asyncio.timeout(10):
        await waiting
        await turns.wait("key")


async def test_work_within_a_slice_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1.0
    loop = asyncio.get_running_loop()
    waits = list[str]()

    class Counted(Turns):
        async def wait(self, key: object) -> None:
            waits.append(str(key))

    monkeypatch.setattr(loop, "time", lambda: now)
    budget = TurnBudget(Counted(), "key")
    await budget.pause()
    assert waits == []
    now += 2 * SLICE_S
    budget.renew()
    await budget.pause()
    assert waits == []
    now += 2 * SLICE_S
    await budget.pause()
    await budget.pause()
    assert waits == ["key"]
