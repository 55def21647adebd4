"""A caller that asks more at once than its share is refused, and other callers are not affected."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Final

import pytest
from msgspec.structs import replace

from gateway.admission.decision import PolicyFailure, Verdict
from gateway.admission.policy_input import PolicyInput
from gateway.opa.circuit_breaker import CircuitBreaker
from gateway.opa.client import Deadlines, OpaClient
from gateway.opa.limiter import PLACES
from gateway.opa.transport import Broken, Exchanged
from tests.unit.opa.stub import GOOD
from tests.unit.opa.support import MemoryHighwater, question, until

SHARE: Final = PLACES // 4


def of(source_ip: str, server: str = "files", items: list[str] | None = None) -> PolicyInput:
    stated = question(server, items=items)
    return replace(stated, context=replace(stated.context, source_ip=source_ip))


class Opa:
    """An OPA that answers at once, except for queries about the server `slow`, which wait until released."""

    def __init__(self) -> None:
        self.slow = 0
        self.most = 0
        self.let_go = asyncio.Event()

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        del path
        if b'"slow"' in (body or b""):
            self.slow += 1
            self.most = max(self.most, self.slow)
            try:
                await self.let_go.wait()
            finally:
                self.slow -= 1
        return Exchanged(200, GOOD % 1)

    async def close(self) -> None: ...


class Bed:
    """A client before such an OPA, with a caller that floods it."""

    def __init__(self, seconds: float, listing: float = 0.05) -> None:
        self.opa = Opa()
        self.breaker = CircuitBreaker(lambda: 0.0, threshold=1)
        deadlines = Deadlines(decision=seconds, listing=listing)
        self.client = OpaClient(self.opa, MemoryHighwater(), ids=lambda: "d", deadlines=deadlines, breaker=self.breaker)
        self.flood: list[asyncio.Task[Verdict | PolicyFailure]] = []

    async def flooded(self, count: int, source_ip: str = "192.0.2.1") -> None:
        self.flood += [asyncio.create_task(self.client.decide(of(source_ip, "slow"))) for _ in range(count)]
        await until(lambda: self.opa.slow >= min(count, SHARE))

    async def codes(self) -> list[str]:
        outcomes = await asyncio.gather(*self.flood)
        return [one.code if isinstance(one, PolicyFailure) else "decided" for one in outcomes]


@pytest.fixture
async def patient() -> AsyncGenerator[Bed]:
    bed = Bed(seconds=60)
    yield bed
    bed.opa.let_go.set()
    await bed.codes()


async def test_queries_beyond_a_callers_share_are_refused_with_their_own_code() -> None:
    bed = Bed(seconds=0.05)
    await bed.flooded(2 * SHARE)
    assert Counter(await bed.codes()) == {"too_many_questions": SHARE, "policy_unavailable": SHARE}
    assert bed.opa.most == SHARE
    assert bed.breaker.closed


async def test_late_questions_are_refused_a_few_in_each_pass_of_the_loop() -> None:
    bed, loop = Bed(seconds=0.05), asyncio.get_running_loop()
    passed, ended = 0, Counter[int]()

    def next_pass() -> None:
        nonlocal passed
        passed += 1
        if any(not task.done() for task in bed.flood):
            loop.call_soon(next_pass)

    await bed.flooded(8 * SHARE)
    for task in bed.flood:
        task.add_done_callback(lambda _: ended.update([passed]))
    next_pass()
    await bed.codes()
    assert max(ended.values()) <= len(bed.flood) / 2


async def test_another_caller_is_answered_while_one_floods(patient: Bed) -> None:
    await patient.flooded(4 * SHARE)
    assert isinstance(await patient.client.decide(of("192.0.2.2")), Verdict)
    assert patient.opa.slow == SHARE


async def test_the_gateways_own_queries_do_not_wait_for_callers(patient: Bed) -> None:
    for number in range(PLACES):
        patient.flood.append(asyncio.create_task(patient.client.decide(of(f"192.0.2.{number}", "slow"))))
    await until(lambda: patient.opa.slow == PLACES)
    assert isinstance(await patient.client.probe(of("127.0.0.1")), Verdict)
    assert isinstance(await patient.client.revise(of("192.0.2.1")), Verdict)


async def test_a_caller_is_refused_if_others_hold_all_slots(patient: Bed) -> None:
    for number in range(PLACES):
        patient.flood.append(asyncio.create_task(patient.client.decide(of(f"192.0.2.{number}", "slow"))))
    await until(lambda: patient.opa.slow == PLACES)
    failure = await patient.client.listing(of("198.51.100.1", items=["a"]))
    assert isinstance(failure, PolicyFailure)
    assert failure.code == "overloaded"
    assert patient.breaker.closed


async def test_chunks_of_a_list_are_of_their_caller(patient: Bed) -> None:
    await patient.flooded(SHARE)
    chunk = await patient.client.listing(of("192.0.2.1", items=["a"]))
    assert isinstance(chunk, PolicyFailure)
    assert chunk.code == "too_many_questions"
    assert isinstance(await patient.client.decide(of("192.0.2.2")), Verdict)


async def test_waiting_questions_are_asked_when_their_turn_comes(patient: Bed) -> None:
    await patient.flooded(4 * SHARE)
    patient.opa.let_go.set()
    assert set(await patient.codes()) == {"decided"}


async def test_a_question_that_was_crowded_out_leaves_the_breakers_probe_to_the_next() -> None:
    bed = Bed(seconds=0.05)
    await bed.flooded(SHARE)
    bed.breaker.failed()
    clock = iter(range(1_000))
    bed.breaker._clock = lambda: float(next(clock))
    assert isinstance(await bed.client.decide(of("192.0.2.1")), PolicyFailure)
    assert isinstance(await bed.client.decide(of("192.0.2.2")), Verdict)
    assert bed.breaker.closed
    await bed.codes()
