import asyncio
from collections.abc import Callable

import pytest

from gateway.admission.decision import PolicyFailure, Verdict
from gateway.admission.policy_input import Gateway
from gateway.opa.circuit_breaker import CircuitBreaker
from gateway.opa.client import OpaClient
from gateway.opa.opa_status import BundleStatus, UnixOpaStatus
from gateway.opa.process import ManagedOpa
from gateway.opa.readiness_probe import STATUS_EVERY, ReadinessProbe, StalenessLimits
from gateway.opa.transport import Broken, Exchanged
from gateway.opa.unix_transport import UnixTransport
from tests.unit.opa.stub import GOOD
from tests.unit.opa.support import MemoryHighwater, PolicyService, question, until

GATEWAY = Gateway(id="g", version="0")
MINUTE = 60 * 10**9


class Answers:
    """An exchange that gives one outcome until it is changed."""

    def __init__(self) -> None:
        self.outcome: Exchanged | Broken = Exchanged(200, GOOD % 1)
        self.asked = 0

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        self.asked += 1
        return self.outcome

    async def close(self) -> None:
        pass


class Signs:
    """Vitals as a test wants them."""

    def __init__(self) -> None:
        self.well = True
        self.bundle: BundleStatus | None = BundleStatus()
        self.looks = 0

    async def healthy(self) -> bool:
        return self.well

    async def status(self) -> BundleStatus | None:
        self.looks += 1
        return self.bundle

    async def close(self) -> None:
        pass


class Wall:
    def __init__(self) -> None:
        self.ns = 1_800_000_000 * 10**9

    def __call__(self) -> int:
        return self.ns


class Bed:
    """A pulse with everything around it in the test's hands."""

    def __init__(self, limits: StalenessLimits | None = None) -> None:
        self.answers, self.signs, self.wall = Answers(), Signs(), Wall()
        self.breaker = CircuitBreaker(lambda: 0.0, threshold=2)
        self.client = OpaClient(self.answers, MemoryHighwater(), ids=lambda: "d", breaker=self.breaker)
        self.pulse = ReadinessProbe(self.client, self.signs, gateway=GATEWAY, limits=limits, wall_ns=self.wall)


def decided(change: Callable[[bytes], bytes]) -> Exchanged:
    return Exchanged(200, change(GOOD % 1))


async def test_nothing_is_ready_before_the_first_beat() -> None:
    assert Bed().pulse.readiness.missing == ("opa",)


async def test_a_well_formed_denial_of_a_known_revision_is_ready() -> None:
    readiness = await Bed().pulse.beat()
    assert (readiness.missing, readiness.revision) == ((), "dev@aaaaaaaaaaaa.1")


@pytest.mark.parametrize(
    "outcome",
    [
        Broken("gone"),
        Exchanged(200, b"{}"),
        decided(lambda body: body.replace(b'"deny"', b'"allow"')),
        decided(lambda body: body.replace(b"dev@aaaaaaaaaaaa.1", b"")),
    ],
)
async def test_anything_else_is_not_ready(outcome: Exchanged | Broken) -> None:
    bed = Bed()
    bed.answers.outcome = outcome
    assert len((await bed.pulse.beat()).missing) == 1


async def test_an_opa_without_an_active_bundle_is_not_ready() -> None:
    bed = Bed()
    bed.signs.well = False
    assert (await bed.pulse.beat()).missing == ("bundle",)


async def test_a_beat_that_is_answered_closes_the_breaker() -> None:
    bed = Bed()
    bed.answers.outcome = Broken("gone")
    for _ in range(3):
        await bed.client.decide(question())
    assert (bed.breaker.closed, bed.answers.asked) == (False, 2)
    bed.answers.outcome = Exchanged(200, GOOD % 1)
    await bed.pulse.beat()
    assert isinstance(await bed.client.decide(question()), Verdict)


async def test_a_revision_is_announced_once() -> None:
    bed = Bed()
    seen: list[str] = []
    bed.client.on_revision = lambda: seen.append(bed.client.revision)
    for seq in (1, 1, 2, 1, 2):
        bed.answers.outcome = Exchanged(200, GOOD % seq)
        await bed.pulse.beat()
    assert seen == ["dev@aaaaaaaaaaaa.1", "dev@aaaaaaaaaaaa.2"]


async def test_policy_that_is_not_confirmed_warns_first_and_then_denies_everything() -> None:
    bed = Bed(StalenessLimits(soft_s=300, hard_s=600))
    assert (await bed.pulse.beat()).staleness == "fresh"
    bed.wall.ns += 6 * MINUTE
    readiness = await bed.pulse.beat()
    assert (readiness.staleness, readiness.missing, readiness.policy_age_s) == ("soft", (), 360)
    assert isinstance(await bed.client.decide(question()), Verdict)
    bed.wall.ns += 5 * MINUTE
    readiness = await bed.pulse.beat()
    assert (readiness.staleness, readiness.missing) == ("hard", ("fresh_policy",))
    for failure in (await bed.client.decide(question()), await bed.client.listing(question(items=["a"]))):
        assert isinstance(failure, PolicyFailure)
        assert failure.code == "policy_stale"
        assert "not confirmed" in failure.detail


async def test_policy_that_is_confirmed_again_decides_again() -> None:
    bed = Bed(StalenessLimits(soft_s=300, hard_s=600))
    await bed.pulse.beat()
    bed.wall.ns += 11 * MINUTE
    await bed.pulse.beat()
    bed.signs.bundle = BundleStatus(last_successful_request="2027-01-15T08:11:00.123456789Z")
    assert (await bed.pulse.beat()).staleness == "fresh"
    assert isinstance(await bed.client.decide(question()), Verdict)


async def test_policy_that_was_stale_before_this_worker_started_is_stale_at_once() -> None:
    bed = Bed(StalenessLimits(soft_s=300, hard_s=600))
    bed.signs.bundle = BundleStatus(last_successful_request="2027-01-15T07:00:00Z")
    assert (await bed.pulse.beat()).staleness == "hard"
    assert isinstance(await bed.client.decide(question()), PolicyFailure)


async def test_a_clock_that_is_ahead_does_not_keep_policy_fresh() -> None:
    bed = Bed(StalenessLimits(soft_s=300, hard_s=600))
    bed.signs.bundle = BundleStatus(last_successful_request="2027-01-16T00:00:00Z")
    await bed.pulse.beat()
    bed.signs.bundle = None
    bed.wall.ns += 11 * MINUTE
    assert (await bed.pulse.beat()).staleness == "hard"


@pytest.mark.parametrize("when", ["", "0001-01-01T00:00:00Z", "yesterday", "2027-01-15T08:11:00"])
async def test_a_status_without_a_time_confirms_nothing(when: str) -> None:
    bed = Bed(StalenessLimits(soft_s=300, hard_s=600))
    bed.signs.bundle = BundleStatus(last_successful_request=when)
    bed.wall.ns += 11 * MINUTE
    assert (await bed.pulse.beat()).staleness == "hard"


async def test_policy_never_becomes_stale_if_the_limits_are_off() -> None:
    bed = Bed(StalenessLimits(soft_s=None, hard_s=None))
    bed.wall.ns += 10**6 * MINUTE
    assert (await bed.pulse.beat()).staleness == "fresh"


async def test_the_large_status_document_is_looked_at_once_in_a_while() -> None:
    bed = Bed()
    for _ in range(STATUS_EVERY * 2):
        await bed.pulse.beat()
    assert bed.signs.looks == 2


async def test_a_bundle_that_opa_could_not_take_is_a_problem_that_is_shown() -> None:
    bed = Bed()
    bed.signs.bundle = BundleStatus(code="bundle_error", message="digest mismatch")
    readiness = await bed.pulse.beat()
    assert (readiness.problem, readiness.missing) == ("bundle_error: digest mismatch", ())


async def test_a_real_opa_is_ready_when_its_bundle_is(opa: ManagedOpa, service: PolicyService, packed: bytes) -> None:
    service.publish(b"", "")
    exchange = UnixTransport(opa.socket)
    client = OpaClient(exchange, MemoryHighwater(), ids=lambda: "d")
    pulse = ReadinessProbe(client, UnixOpaStatus(exchange), gateway=GATEWAY)
    await until(opa.socket.exists)
    readiness = await pulse.beat()
    assert readiness.revision or readiness.missing
    service.publish(packed, '"1"')
    async with asyncio.timeout(30):
        while (readiness := await pulse.beat()).missing:
            assert not readiness.revision
    assert readiness.revision == "dev@aaaaaaaaaaaa.1"
    assert readiness.policy_age_s < 30
    await client.close()


async def test_a_real_opa_tells_when_it_last_reached_its_bundle_service(opa: ManagedOpa) -> None:
    vitals = UnixOpaStatus(UnixTransport(opa.socket))
    await until(opa.socket.exists)
    async with asyncio.timeout(30):
        while (status := await vitals.status()) is None or not status.active_revision:
            pass
    assert status.active_revision == "dev@aaaaaaaaaaaa.1"
    assert status.last_successful_request > "2020"


async def test_where_bundles_are_followed_the_followers_word_counts_and_not_opas() -> None:
    bed = Bed(StalenessLimits(soft_s=300, hard_s=600, followed=True))
    bed.pulse.confirmed(bed.wall.ns - 5 * MINUTE, "dev@aaaaaaaaaaaa.1")
    bed.signs.bundle = BundleStatus(last_successful_request="2999-01-01T00:00:00Z")
    readiness = await bed.pulse.beat()
    assert (readiness.policy_age_s, readiness.staleness) == (300, "fresh")
    bed.wall.ns += 6 * MINUTE
    assert (await bed.pulse.beat()).staleness == "hard"
    failure = await bed.client.decide(question())
    assert isinstance(failure, PolicyFailure)
    assert failure.code == "policy_stale"
    bed.pulse.confirmed(bed.wall.ns, "dev@aaaaaaaaaaaa.1")
    assert (await bed.pulse.beat()).policy_age_s == 0
    assert isinstance(await bed.client.decide(question()), Verdict)


async def test_the_word_on_a_policy_that_is_not_enforced_keeps_nothing_fresh() -> None:
    bed = Bed(StalenessLimits(soft_s=300, hard_s=600, followed=True))
    bed.pulse.confirmed(bed.wall.ns, "dev@aaaaaaaaaaaa.1")
    await bed.pulse.beat()
    bed.wall.ns += 11 * MINUTE
    bed.pulse.confirmed(bed.wall.ns, "dev@aaaaaaaaaaaa.2")
    assert (await bed.pulse.beat()).staleness == "hard"


async def test_a_confirmation_of_the_future_is_of_now() -> None:
    bed = Bed(StalenessLimits(soft_s=300, hard_s=600, followed=True))
    bed.pulse.confirmed(bed.wall.ns + 60 * MINUTE, "dev@aaaaaaaaaaaa.1")
    assert (await bed.pulse.beat()).policy_age_s == 0
    bed.wall.ns += 11 * MINUTE
    bed.pulse.confirmed(1, "dev@aaaaaaaaaaaa.1")
    assert (await bed.pulse.beat()).staleness == "hard", "an unknown time counts as long ago"


async def test_a_pulse_that_is_woken_beats_at_once() -> None:
    bed = Bed()
    running = asyncio.create_task(bed.pulse.run())
    for count in range(1, 40):
        await until(lambda count=count: bed.answers.asked >= count)
        bed.pulse.wake()
    running.cancel()
    assert bed.answers.asked >= 39, "forty seconds would have passed else"
