"""Deadlines that count the wait, not the time in which the event loop was busy with other work."""

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest

from gateway.admission.decision import Verdict
from gateway.opa.circuit_breaker import CircuitBreaker
from gateway.opa.client import Deadlines, OpaClient
from gateway.opa.transport import Broken, Exchanged
from gateway.pipeline.loop_deadlines import TICKS, WaitBudget
from tests.unit.opa.stub import GOOD
from tests.unit.opa.support import MemoryHighwater, question

Busy = Callable[[float], None]


async def turn() -> None:
    """Let the event loop turn once."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(done.set)
    await done.wait()


@pytest.fixture
async def busy(monkeypatch: pytest.MonkeyPatch) -> Busy:
    """Make the event loop resume some seconds late, as if it was busy until then."""
    loop, late = asyncio.get_running_loop(), [0.0]
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + late[0])

    def block(seconds: float) -> None:
        late[0] += seconds

    return block


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


async def test_a_busy_loop_uses_up_no_more_than_a_tick(busy: Busy) -> None:
    async with WaitBudget(60):
        for _ in range(TICKS - 1):
            busy(1_000)
            await turn()


async def test_an_answer_that_is_readable_at_the_last_tick_is_taken(busy: Busy, pipe: tuple[int, int]) -> None:
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pipe[0], arrived.set)
    try:
        async with WaitBudget(0.001):
            os.write(pipe[1], b"x")
            busy(1_000)
            await arrived.wait()
    finally:
        loop.remove_reader(pipe[0])


async def test_nothing_to_be_had_ends_the_wait() -> None:
    with pytest.raises(TimeoutError):
        async with WaitBudget(0.001):
            await asyncio.Event().wait()


async def test_several_waits_share_the_time() -> None:
    patience = WaitBudget(0.002)
    with pytest.raises(TimeoutError):
        async with patience:
            await asyncio.Event().wait()
    with pytest.raises(TimeoutError):
        async with patience:
            await asyncio.Event().wait()


async def test_a_wait_without_an_end_goes_on(busy: Busy) -> None:
    async with WaitBudget(None):
        busy(1_000)
        await turn()


class SlowLoop:
    """An OPA that has answered before the event loop, busy with another exchange, resumes."""

    def __init__(self, busy: Busy) -> None:
        self._busy = busy

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        del path, body
        self._busy(1_000)
        for _ in range(3):
            await turn()
        return Exchanged(200, GOOD % 1)

    async def close(self) -> None: ...


@pytest.mark.parametrize("method", ["decide", "revise", "probe"])
async def test_a_question_is_not_refused_because_the_loop_was_busy(method: str, busy: Busy) -> None:
    breaker = CircuitBreaker(lambda: 0.0, threshold=1)
    deadlines = Deadlines(decision=0.25, listing=0.25)
    client = OpaClient(SlowLoop(busy), MemoryHighwater(), ids=lambda: "d", deadlines=deadlines, breaker=breaker)

    answer = await getattr(client, method)(question())

    assert isinstance(answer, Verdict)
    assert breaker.closed
