"""What callers get while OPA is killed, stopped, slow, silly or empty: denials, and decisions again afterwards."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.admission.decision import PolicyFailure, Verdict
from gateway.opa.binary import obtain
from gateway.opa.client import Deadlines, OpaClient
from gateway.opa.process import ManagedOpa
from gateway.opa.transport import Transport
from gateway.opa.unix_transport import UnixTransport
from tests.opas import aiohttp_unix_transport
from tests.stopping import stop
from tests.unit.opa.stub import HANG_UP, SILENCE, Stub, good, http
from tests.unit.opa.support import COMBINER, Key, Log, MemoryHighwater, PolicyService, bundle, question, until

TransportFactory = Callable[[Path], Transport]
TRANSPORTS = pytest.mark.parametrize("transport", [UnixTransport, aiohttp_unix_transport])
DEADLINE = 0.25
PATIENT = 20.0
"""The deadline of decisions where time is not the subject: there a slow machine must not look like a lost OPA."""
SLACK = 3.0
"""Seconds that a busy machine may add to a deadline."""


@pytest.fixture(scope="module")
def binary() -> Path:
    return obtain(print)


@pytest.fixture(scope="module")
def key() -> Key:
    return Key()


@pytest_asyncio.fixture
async def service(binary: Path, key: Key) -> AsyncIterator[PolicyService]:
    service = await PolicyService(key).start()
    service.publish(bundle(binary, key, "dev@aaaaaaaaaaaa.1"), '"1"')
    yield service
    await service.stop()


@pytest_asyncio.fixture
async def opa(binary: Path, service: PolicyService) -> AsyncIterator[ManagedOpa]:
    opa = ManagedOpa(binary, service.source, report=Log())
    await opa.check()
    opa.start()
    yield opa
    await opa.stop()


def asking(socket: Path, transport: TransportFactory, deadline: float = DEADLINE) -> OpaClient:
    return OpaClient(transport(socket), MemoryHighwater(), ids=lambda: "d", deadlines=Deadlines(decision=deadline))


async def decided(client: OpaClient, revision: str = "dev@aaaaaaaaaaaa.1") -> Verdict:
    """Return the first verdict of this revision, asked for in the way that a persistent caller would."""
    async with asyncio.timeout(30):
        while True:
            outcome = await client.decide(question())
            if isinstance(outcome, Verdict) and outcome.revision == revision:
                return outcome
            await asyncio.sleep(0.01)  # noqa: TID251 - the pause between two questions


@TRANSPORTS
async def test_killed_opa_denies_and_its_successor_decides(opa: ManagedOpa, transport: TransportFactory) -> None:
    client = asking(opa.socket, transport)
    await decided(client)
    os.kill(opa.pid, signal.SIGKILL)
    outcomes = [await client.decide(question()) for _ in range(3)]
    assert {one.code for one in outcomes if isinstance(one, PolicyFailure)} == {"policy_unavailable"}
    await decided(client)
    await client.close()


@TRANSPORTS
async def test_questions_under_way_when_opa_is_killed_are_denied_in_time(
    opa: ManagedOpa, transport: TransportFactory
) -> None:
    client = asking(opa.socket, transport)
    await decided(client)
    stop(opa.pid)
    under_way = [asyncio.create_task(client.decide(question())) for _ in range(20)]
    await asyncio.wait(under_way, timeout=0.05)
    os.kill(opa.pid, signal.SIGKILL)
    began = time.monotonic()
    for outcome in await asyncio.gather(*under_way):
        assert isinstance(outcome, PolicyFailure)
        assert outcome.code == "policy_unavailable"
    assert time.monotonic() - began < DEADLINE + SLACK
    await decided(client)
    await client.close()


@TRANSPORTS
async def test_stopped_opa_costs_a_deadline_a_few_times_and_then_nothing(
    opa: ManagedOpa, transport: TransportFactory
) -> None:
    client = asking(opa.socket, transport)
    await decided(client)
    stop(opa.pid)
    try:
        began = time.monotonic()
        for _ in range(2):
            assert isinstance(await client.decide(question()), PolicyFailure)
            assert client.breaker.closed
            assert isinstance(await client.probe(question()), PolicyFailure)
        assert not client.breaker.closed
        for _ in range(200):
            outcome = await client.decide(question())
            assert isinstance(outcome, PolicyFailure)
            assert outcome.code == "policy_unavailable"
        assert time.monotonic() - began < 6 * (DEADLINE + SLACK)
    finally:
        os.kill(opa.pid, signal.SIGCONT)
    await decided(client)
    assert client.breaker.closed
    await client.close()


@TRANSPORTS
async def test_evaluation_errors_of_one_caller_are_not_noticed_by_the_others(
    opa: ManagedOpa, transport: TransportFactory
) -> None:
    client = asking(opa.socket, transport, PATIENT)
    await decided(client)

    async def provoke() -> None:
        for _ in range(100):
            outcome = await client.decide(question(word=["w"]))
            assert isinstance(outcome, PolicyFailure)
            assert (outcome.code, outcome.requirement) == ("policy_error", "numbers_are_numbers")

    async def behave() -> None:
        for _ in range(100):
            assert isinstance(await client.decide(question(word="well")), Verdict)

    await asyncio.gather(provoke(), behave())
    assert client.breaker.closed
    await client.close()


@TRANSPORTS
async def test_a_question_that_opa_cannot_read_is_not_noticed_by_the_others(
    opa: ManagedOpa, transport: TransportFactory
) -> None:
    client = asking(opa.socket, transport, PATIENT)
    await decided(client)
    deep: list[object] = []
    for _ in range(900):
        deep = [deep]
    for _ in range(10):
        outcome = await client.decide(question(deep=deep))
        assert isinstance(outcome, Verdict | PolicyFailure)
        assert isinstance(await client.decide(question()), Verdict)
    await client.close()


@TRANSPORTS
async def test_an_opa_without_a_bundle_denies_until_it_has_one(
    binary: Path, service: PolicyService, transport: TransportFactory
) -> None:
    packed, service.body = service.body, b""
    opa = ManagedOpa(binary, service.source, report=Log())
    await opa.check()
    opa.start()
    client = asking(opa.socket, transport)
    await until(opa.socket.exists)
    outcome = await client.decide(question())
    assert isinstance(outcome, PolicyFailure)
    assert outcome.code == "policy_unavailable"
    service.publish(packed, '"1"')
    await decided(client)
    await client.close()
    await opa.stop()


@TRANSPORTS
async def test_a_bundle_that_defines_no_decision_denies(
    binary: Path, key: Key, service: PolicyService, opa: ManagedOpa, transport: TransportFactory
) -> None:
    client = asking(opa.socket, transport, PATIENT)
    await decided(client)
    without = COMBINER.replace("decision :=", "verdict :=")
    service.publish(bundle(binary, key, "dev@bbbbbbbbbbbb.2", without), '"2"')
    async with asyncio.timeout(30):
        while isinstance(outcome := await client.decide(question()), Verdict):
            pass
    assert outcome.code == "policy_unavailable"
    assert "does not define one" in outcome.detail
    service.publish(bundle(binary, key, "dev@cccccccccccc.3"), '"3"')
    await decided(client, "dev@cccccccccccc.3")
    await client.close()


@TRANSPORTS
async def test_an_older_bundle_than_the_enforced_one_denies_until_a_newer_one_comes(
    binary: Path, key: Key, service: PolicyService, opa: ManagedOpa, transport: TransportFactory
) -> None:
    client = asking(opa.socket, transport, PATIENT)
    await decided(client)
    service.publish(bundle(binary, key, "dev@bbbbbbbbbbbb.5"), '"5"')
    await decided(client, "dev@bbbbbbbbbbbb.5")
    service.publish(bundle(binary, key, "dev@aaaaaaaaaaaa.4"), '"4"')
    async with asyncio.timeout(30):
        while isinstance(outcome := await client.decide(question()), Verdict):
            assert outcome.revision == "dev@bbbbbbbbbbbb.5"
    assert (outcome.code, outcome.revision) == ("policy_regressed", "dev@aaaaaaaaaaaa.4")
    service.publish(bundle(binary, key, "dev@aaaaaaaaaaaa.6"), '"6"')
    await decided(client, "dev@aaaaaaaaaaaa.6")
    await client.close()


@TRANSPORTS
@pytest.mark.parametrize(
    "answer",
    [
        SILENCE,
        HANG_UP,
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        http(b""),
        http(b"\x00" * 1000),
        http(b'{"result":true,"provenance":{"bundles":{"policy":{"revision":"dev@aaaaaaaaaaaa.1"}}}}'),
        http(b'{"result":{"outcome":"allow"}}'),
        http(b"{}", "500 Internal Server Error"),
        http(b"<html>", "502 Bad Gateway"),
        http(b"{}", "307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/"),
    ],
)
async def test_a_server_that_is_not_opa_denies_in_time_and_opa_is_found_again(
    answer: bytes | None, transport: TransportFactory, tmp_path: Path
) -> None:
    async with Stub(tmp_path / "s", answer) as stub:
        client = OpaClient(transport(stub.path), MemoryHighwater(), ids=lambda: "d", deadlines=Deadlines(decision=0.05))
        began = time.monotonic()
        for _ in range(8):
            outcome = await client.decide(question())
            assert isinstance(outcome, PolicyFailure)
            assert outcome.code == "policy_unavailable"
        assert time.monotonic() - began < 8 * 0.05 + SLACK
        stub.answers[:] = [good()]
        await decided(client)
        await client.close()


@TRANSPORTS
async def test_a_slow_opa_is_given_up_at_the_deadline_and_stops_evaluating(
    transport: TransportFactory, tmp_path: Path
) -> None:
    async with Stub(tmp_path / "s", SILENCE) as stub:
        client = asking(stub.path, transport)
        began = time.monotonic()
        outcome = await client.decide(question())
        assert DEADLINE <= time.monotonic() - began < DEADLINE + SLACK
        assert isinstance(outcome, PolicyFailure)
        await asyncio.wait_for(stub.gone.wait(), 30)
        await client.close()
