"""Exchanges that wait for a turn on the event loop."""

import asyncio
import time
from itertools import pairwise

import pytest

from gateway.pipeline.loop_turns import LONG, SLICE_S, LongWork, LoopTurns, RequestStarts, TurnBudget, Turns, loop_turns

LONG_S = 50 * SLICE_S


class Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now = 1.0

    def __call__(self) -> float:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(name="clock")
def a_clock() -> Clock:
    return Clock()


async def passes(count: int) -> None:
    """Let the loop make this many passes."""
    for _ in range(count):
        await asyncio.sleep(0)  # noqa: TID251 - one pass of the loop


async def test_one_exchange_goes_on_in_each_turn_and_keys_alternate() -> None:
    turns, order = Turns(), list[str]()

    async def work(key: str, name: str) -> None:
        for _ in range(2):
            await turns.turn(key)
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
            await turns.turn("key")
            went += 1

    def look() -> None:
        seen.append(went)
        if went < 20:
            loop.call_soon(look)

    look()
    async with asyncio.timeout(10):
        await asyncio.gather(work(), work())
    assert all(after - before <= 1 for before, after in pairwise(seen))


async def test_the_loop_rests_from_long_work_as_long_as_it_took() -> None:
    work, loop = LongWork(), asyncio.get_running_loop()
    began = loop.time()
    work.worked(LONG_S)
    async with asyncio.timeout(10):
        await work.turn("key")
    assert loop.time() - began >= LONG_S * 0.9


async def test_rests_add_up(clock: Clock) -> None:
    work = LongWork(clock, clock)
    work.worked(SLICE_S)
    work.worked(SLICE_S)
    turn = work.turn("key")
    clock.step(1.5 * SLICE_S)
    await asyncio.wait({turn}, timeout=20 * SLICE_S)
    assert not turn.done()
    clock.step(SLICE_S)
    async with asyncio.timeout(10):
        await turn


async def test_a_rest_is_short_after_any_amount_of_work(clock: Clock) -> None:
    work = LongWork(clock, clock)
    for _ in range(1_000):
        work.worked(10)
    turn = work.turn("key")
    clock.step(0.3)
    async with asyncio.timeout(10):
        await turn


async def test_a_wait_for_a_slow_client_does_not_count_as_work(clock: Clock) -> None:
    turns = Counted(clock)
    budget = TurnBudget(turns, "key")

    async def wait() -> str:
        clock.step(10)
        return "written"

    assert await budget.during(wait()) == "written"
    await budget.pause()
    assert turns.waits == []


async def test_a_long_pass_lets_more_requests_begin(clock: Clock) -> None:
    starts, order = RequestStarts(clock), list[int]()

    async def request(number: int) -> None:
        await starts.start(number)
        order.append(number)

    clock.step(1)
    tasks = [asyncio.create_task(request(number)) for number in range(12)]
    await passes(2)
    clock.step(0.06)  # the pass in which they wait
    await passes(2)
    assert len(order) >= 10
    await asyncio.gather(*tasks)


async def test_the_loop_sleeps_during_a_rest() -> None:
    work = LongWork()
    began = time.thread_time()
    work.worked(LONG_S)
    async with asyncio.timeout(10):
        await work.turn("key")
    assert time.thread_time() - began < LONG_S / 2


async def test_one_request_begins_in_each_pass_and_callers_take_turns() -> None:
    starts, order = RequestStarts(), list[str]()

    async def request(caller: str) -> None:
        await starts.start(caller)
        order.append(caller)

    async with asyncio.timeout(10):
        await asyncio.gather(*(request("greedy") for _ in range(20)), request("other"))
    assert order.index("other") <= 2
    assert len(order) == 21


async def test_a_request_begins_at_once_if_no_other_does() -> None:
    clock = Clock()
    starts, loop = RequestStarts(clock), asyncio.get_running_loop()
    for _ in range(3):
        clock.step(1)
        passed: list[bool] = []
        loop.call_soon(passed.append, True)
        await starts.start("caller")
        assert not passed
        await passes(3)


async def test_an_exchange_that_is_canceled_gives_its_turn_to_the_next() -> None:
    turns = Turns()

    async def wait() -> None:
        await turns.turn("key")

    canceled, waiting = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.wait({canceled}, timeout=0)
    canceled.cancel()
    async with asyncio.timeout(10):
        await waiting
        await wait()


class Counted(LongWork):
    """Counts the requests for a turn, and grants them at once."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, clock)
        self.waits: list[object] = []
        self.work: list[float] = []

    def worked(self, seconds: float) -> None:
        self.work.append(seconds)

    def turn(self, key: object) -> asyncio.Future[None]:
        self.waits.append(key)
        turn = asyncio.get_running_loop().create_future()
        turn.set_result(None)
        return turn


async def test_work_within_a_slice_does_not_wait(clock: Clock) -> None:
    turns = Counted(clock)
    budget = TurnBudget(turns, "key")
    await budget.pause()
    assert turns.waits == []
    clock.step(2 * SLICE_S)
    budget.renew()
    await budget.pause()
    assert turns.waits == []
    clock.step(2 * SLICE_S)
    await budget.pause()
    await budget.pause()
    assert turns.waits == ["key"]
    assert turns.work == [pytest.approx(2 * SLICE_S)]


async def test_small_pieces_of_work_wait_when_together_they_fill_a_slice(clock: Clock) -> None:
    turns, cpu = Counted(clock), Clock()
    turns.cpu = cpu  # pyright: ignore[reportAttributeAccessIssue] - another clock than the wall's
    budget = TurnBudget(turns, "key")
    clock.step(SLICE_S)
    for _ in range(11):
        clock.step(SLICE_S / 10)
        cpu.step(SLICE_S / 10)
        await budget.pause()
    assert turns.waits == ["key"]


async def test_a_long_reply_waits_for_a_turn_before_it_is_read(clock: Clock) -> None:
    turns = Counted(clock)
    budget = TurnBudget(turns, "key")
    await budget.pause(LONG - 1)
    assert turns.waits == []
    await budget.pause(LONG)
    assert turns.waits == ["key"]
    assert turns.work == []


async def test_one_queue_belongs_to_an_event_loop() -> None:
    assert loop_turns() is loop_turns()


def test_another_loop_has_another_queue() -> None:
    async def mine() -> LoopTurns:
        return loop_turns()

    assert asyncio.run(mine()) is not asyncio.run(mine())
