"""The limiter gives no caller all slots, and every waiting caller gets its turn."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.opa.limiter import PLACES, SHARED, CallerQueue, FairLimiter
from gateway.opa.transport import CONNECTIONS


def taken(places: FairLimiter, key: str) -> list[CallerQueue]:
    """Take as many places as there are for a caller."""
    callers: list[CallerQueue] = []
    while (caller := places.enter(key)) is not None:
        callers.append(caller)
    return callers


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop


class Line:
    """Questions that wait, and the order in which they get a place."""

    def __init__(self, places: FairLimiter) -> None:
        self.places = places
        self.served: list[str] = []
        self.tasks: list[asyncio.Task[CallerQueue]] = []

    async def join(self, *keys: str) -> None:
        for key in keys:
            self.tasks.append(asyncio.create_task(self._waited(key)))
            await settled()

    async def _waited(self, key: str) -> CallerQueue:
        assert self.places.enter(key) is None
        await self.places.room(key)
        caller = await self.places.wait(key)
        self.served.append(key)
        return caller


def test_one_caller_alone_takes_a_quarter() -> None:
    places = FairLimiter()
    assert len(taken(places, "a")) == PLACES / 4
    assert places.free == PLACES * 3 / 4


def test_our_own_questions_find_a_connection_when_all_places_are_taken() -> None:
    assert CONNECTIONS > PLACES


@pytest.mark.parametrize("floods", [1, 4, 12])
def test_the_next_caller_gets_a_slot_while_others_hold_their_maximum(floods: int) -> None:
    places = FairLimiter()
    for flood in range(floods):
        assert taken(places, f"flood {flood}")
    assert places.enter("another") is not None


class Clock:
    """Counts the seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def left(places: FairLimiter, *callers: CallerQueue) -> None:
    for caller in callers:
        places.leave(caller)


def test_most_places_are_kept_back_while_several_callers_ask() -> None:
    clock = Clock()
    places = FairLimiter(clock=clock)
    left(places, *taken(places, "a"))
    left(places, *taken(places, "b"))
    clock.now += 0.9
    assert len(taken(places, "a")) == SHARED / 4


def test_a_caller_that_is_alone_again_takes_a_quarter() -> None:
    clock = Clock()
    places = FairLimiter(clock=clock)
    left(places, *taken(places, "b"))
    left(places, *taken(places, "a"))
    clock.now += 1.1
    assert len(taken(places, "a")) == PLACES / 4


def test_a_caller_without_a_place_gets_one_of_those_that_are_kept_back() -> None:
    places = FairLimiter()
    assert len(taken(places, "a")) == PLACES / 4
    assert [len(taken(places, f"b{number}")) for number in range(PLACES * 3 // 4)] == [1] * (PLACES * 3 // 4)
    assert places.enter("c") is None


def test_a_caller_that_left_is_forgotten_and_its_places_are_free_again() -> None:
    clock = Clock()
    places = FairLimiter(clock=clock)
    for caller in (*taken(places, "a"), *taken(places, "b")):
        places.leave(caller)
    assert (len(places), places.free) == (0, PLACES)
    clock.now += 2
    assert len(taken(places, "a")) == PLACES / 4


async def test_a_slot_goes_to_the_caller_with_the_fewest_and_equal_callers_take_turns() -> None:
    places = FairLimiter(4)
    (flood,), line = taken(places, "flood"), Line(places)
    others = [caller for key in ("x", "y", "z") for caller in taken(places, key)]
    assert places.free == 0
    await line.join("flood", "a", "a", "b")
    for caller in (*others, flood):
        places.leave(caller)
        await settled()
    assert line.served == ["a", "b", "flood"], "one slot is left, which no caller with a slot may take"
    first = line.tasks[1].result()
    assert first is not None
    places.leave(first)
    await settled()
    assert line.served == ["a", "b", "flood", "a"]


async def test_the_questions_of_one_caller_are_asked_in_their_order() -> None:
    places, order = FairLimiter(4), list[int]()
    first = taken(places, "a")[0]

    async def asked(number: int) -> None:
        await places.room("a")
        caller = await places.wait("a")
        order.append(number)
        assert caller is not None
        places.leave(caller)

    tasks = [asyncio.create_task(asked(number)) for number in range(3)]
    await settled()
    assert order == []
    places.leave(first)
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2]
    assert len(places) == 0


async def test_a_query_without_room_in_its_callers_queue_waits_and_is_sent_in_order() -> None:
    places, order = FairLimiter(4, queue=2), list[int]()
    (first,) = taken(places, "a")

    async def asked(number: int) -> None:
        assert places.enter("a") is None
        await places.room("a")
        caller = await places.wait("a")
        order.append(number)
        await settled()
        places.leave(caller)

    tasks = [asyncio.create_task(asked(number)) for number in range(9)]
    await settled()
    assert len(first.queue) == 2
    assert places.enter("b") is not None, "others are not held up"
    tasks[0].cancel()
    tasks[5].cancel()
    await settled()
    assert len(first.queue) == 2
    places.leave(first)
    await asyncio.wait(tasks)
    assert order == [1, 2, 3, 4, 6, 7, 8]
    assert len(places) == 1


async def test_a_question_that_waits_no_longer_leaves_nothing_behind() -> None:
    places = FairLimiter(4)
    (held,) = taken(places, "a")
    line = Line(places)
    await line.join("a", "a")
    line.tasks[0].cancel()
    await settled()
    places.leave(held)
    await settled()
    assert line.served == ["a"]
    last = line.tasks[1].result()
    assert last is not None
    places.leave(last)
    assert (len(places), places.free) == (0, 4)


async def _given_up_before(line: Line, held: CallerQueue) -> None:
    line.tasks[0].cancel()
    line.places.leave(held)


async def _given_up_after(line: Line, held: CallerQueue) -> None:
    line.places.leave(held)
    line.tasks[0].cancel()


@pytest.mark.parametrize("crossing", [_given_up_before, _given_up_after])
async def test_a_place_that_came_as_its_question_was_given_up_goes_to_the_next(
    crossing: Callable[[Line, CallerQueue], Awaitable[None]],
) -> None:
    places = FairLimiter(4)
    (held,) = taken(places, "a")
    line = Line(places)
    await line.join("a", "a")
    await crossing(line, held)
    await settled()
    assert line.tasks[0].cancelled()
    assert line.served == ["a"]
    last = line.tasks[1].result()
    assert last is not None
    places.leave(last)
    assert (len(places), places.free) == (0, 4)


@given(st.lists(st.tuples(st.sampled_from(["come", "go", "give up"]), st.integers(0, 7)), max_size=60))
async def test_no_slot_is_lost_and_no_caller_waits_that_may_take_one(steps: list[tuple[str, int]]) -> None:
    places, held, waiting = FairLimiter(8, queue=2), list[CallerQueue](), list[asyncio.Task[CallerQueue]]()

    async def came(key: str) -> CallerQueue:
        caller = places.enter(key)
        if caller is not None:
            return caller
        await places.room(key)
        return await places.wait(key)

    for step, number in steps:
        if step == "come":
            waiting.append(asyncio.create_task(came(f"{number % 3}")))
        elif step == "go" and held:
            places.leave(held.pop(number % len(held)))
        elif step == "give up" and waiting:
            waiting.pop(number % len(waiting)).cancel()
        await settled()
        held += [task.result() for task in waiting if task.done()]
        waiting = [task for task in waiting if not task.done()]
        assert places.free + len(held) == 8
        assert {key: places.held(key) for key in "012"} == {
            key: sum(caller.key == key for caller in held) for key in "012"
        }
        callers = places._callers.values()
        assert not any((caller.queue or caller.later) and caller.held * 3 < places.free for caller in callers)
        assert all(len(caller.queue) == 2 for caller in callers if any(not turn.done() for turn in caller.later))
        assert not any(caller.coming for caller in callers)
        assert all(one.queue and one.held == number for number, row in enumerate(places._waiting) for one in row)
    for task in waiting:
        task.cancel()
    await settled()
    for caller in held:
        places.leave(caller)
    assert (len(places), places.free) == (0, 8)
