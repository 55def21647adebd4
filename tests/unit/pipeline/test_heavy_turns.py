"""Turns and rests of large messages."""

import asyncio

import pytest
from msgspec.structs import replace

from gateway.admission.principal import ANONYMOUS
from gateway.pipeline.heavy_turns import HeavyTurns, Sender, WorkClock
from gateway.protocol.stepwise import Steps


class Clock:
    """A clock that work moves, and that counts the seconds of rest."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rests: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)


def caller(name: str) -> Sender:
    return Sender(principal=replace(ANONYMOUS, method="jwt", subject=name), source_ip="192.0.2.1")


class Bed:
    """Turns, with the order in which they were taken."""

    def __init__(self) -> None:
        self.turns = HeavyTurns()
        self.order: list[str] = []
        self.open = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def send(self, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._sent(name))
        self.tasks.append(task)
        turned = asyncio.Event()
        asyncio.get_running_loop().call_soon(turned.set)
        await turned.wait()
        return task

    async def _sent(self, name: str) -> None:
        async with self.turns.turn(caller(name)):
            self.order.append(name)
            await self.open.wait()

    async def finish(self) -> None:
        self.open.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
def bed() -> Bed:
    return Bed()


async def test_callers_take_turns_each_with_its_oldest_message(bed: Bed) -> None:
    for name in ("a", "a", "a", "b", "c", "b"):
        await bed.send(name)
    await bed.finish()
    assert bed.order == ["a", "a", "b", "c", "a", "b"]


async def test_one_large_message_is_worked_on_at_a_time(bed: Bed) -> None:
    await bed.send("a")
    await bed.send("b")
    assert bed.order == ["a"]
    await bed.finish()
    assert bed.order == ["a", "b"]


async def test_the_messages_of_one_caller_wait_and_another_comes_soon(bed: Bed) -> None:
    for _ in range(100):
        await bed.send("flood")
    await bed.send("other")
    await bed.finish()
    assert "other" in bed.order[:3]
    assert len(bed.order) == 101


async def test_a_canceled_waiter_leaves_its_turn_to_the_next(bed: Bed) -> None:
    first = await bed.send("a")
    second = await bed.send("b")
    await bed.send("c")
    second.cancel()
    first.cancel()
    await bed.finish()
    assert bed.order == ["a", "c"]


async def test_a_waiter_canceled_at_its_turn_passes_the_turn_on(bed: Bed) -> None:
    async with bed.turns.turn(caller("a")):
        second = await bed.send("b")
        await bed.send("c")
    second.cancel()
    await bed.finish()
    assert bed.order == ["c"]


async def test_the_loop_rests_after_each_step_twice_as_long_as_the_step_took() -> None:
    clock = Clock()
    turns = HeavyTurns(timing=WorkClock(clock=clock, rest=clock.rest))

    def work() -> Steps[str]:
        clock.now += 3
        yield
        clock.now += 2
        yield
        clock.now += 1
        return "done"

    assert await turns.run(work()) == "done"
    assert clock.rests == [6, 4, 2]


async def test_callers_without_a_proven_name_count_by_their_address() -> None:
    turns, order = HeavyTurns(caller_of=lambda _, source_ip: source_ip), list[str]()
    senders = [
        Sender(principal=replace(ANONYMOUS, subject=f"k{number}"), source_ip="192.0.2.9") for number in range(20)
    ]

    async def send(sender: Sender) -> None:
        async with turns.turn(sender):
            order.append(sender.source_ip)

    async with turns.turn(caller("a")):
        tasks = [asyncio.create_task(send(sender)) for sender in (*senders, caller("b"))]
        await asyncio.wait(tasks, timeout=0.01)
    await asyncio.gather(*tasks)
    assert order[1] == caller("b").source_ip
