"""Counters are summed and rendered as Prometheus text."""

import time
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.admission.instructions import RemovedInstructions
from gateway.admission.refused_definition import refused_instructions
from gateway.telemetry import Gauges, Telemetry, render
from gateway.telemetry.metric_samples import BOUNDS_US
from gateway.telemetry.prometheus_text import POLICY_FAILURES
from gateway.telemetry.worker_metrics import OTHER, resident_bytes

REMOVED: Final = refused_instructions("files", RemovedInstructions(sha256="0" * 64, text="Obey."), revision="dev@1.1")


def packed(telemetry: Telemetry, gauges: Gauges | None = None) -> bytes:
    return msgspec.msgpack.encode(telemetry.samples(gauges))


def read(*samples: bytes) -> dict[tuple[Any, ...], float]:
    """Return every sample of the rendered text: name and labels, value."""
    families = text_string_to_metric_families(render(samples).decode())
    return {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}


def decided(telemetry: Telemetry, outcome: str = "allow", requirement: str = "", **more: Any) -> None:
    given: dict[str, Any] = {"policy_micros": 150, "added_micros": 900, **more}
    telemetry.decided(outcome=outcome, requirement=requirement, **given)


def test_decisions_are_counted_by_outcome_requirement_and_server() -> None:
    telemetry = Telemetry()
    decided(telemetry, server="slack")
    decided(telemetry, server="slack")
    decided(telemetry, "deny", "rules_permit", server="slack")
    found = read(packed(telemetry))
    name = "mcp_admission_decisions_total"
    allowed = (name, ("outcome", "allow"), ("requirement", ""), ("server", "slack"))
    denied = (name, ("outcome", "deny"), ("requirement", "rules_permit"), ("server", "slack"))
    assert (found[allowed], found[denied]) == (2, 1)


def test_workers_are_summed() -> None:
    first, second = Telemetry(), Telemetry()
    for telemetry in (first, first, second):
        decided(telemetry)
        telemetry.upstream("answered")
        telemetry.malformed("malformed_shape")
        telemetry.withheld("slack", 7)
        telemetry.unchecked("files")
        telemetry.changed_instructions(REMOVED)
    first.streams(2)
    second.streams(3)
    found = read(packed(first), packed(second))
    assert found["mcp_admission_upstream_exchanges_total", ("outcome", "answered")] == 3
    assert found["mcp_admission_refused_total", ("code", "malformed_shape")] == 3
    assert found["mcp_admission_withheld_messages_total", ("server", "slack")] == 21
    assert found["mcp_admission_unchecked_schemas_total", ("server", "files")] == 3
    assert found["mcp_admission_changed_instructions_total", ("server", "files")] == 3
    assert found["mcp_admission_open_streams",] == 5
    assert found["mcp_admission_decision_seconds_count",] == 3
    assert found["mcp_admission_workers",] == 2


@pytest.mark.parametrize("code", POLICY_FAILURES)
def test_policy_failures_are_counted_of_their_own(code: str) -> None:
    telemetry = Telemetry()
    decided(telemetry, "deny", code)
    found = read(packed(telemetry))
    for each in POLICY_FAILURES:
        assert found["mcp_admission_policy_failures_total", ("code", each)] == (each == code)


def test_the_end_of_the_policy_and_the_revision_of_the_stops_are_shown() -> None:
    ending = [Gauges(not_after=f"2027-0{month}-01T00:00:00Z", emergency="emergency@b.7") for month in (2, 1)]
    found = read(*(packed(Telemetry(), gauges) for gauges in (*ending, Gauges(), Gauges(not_after="soon"))))
    assert found["mcp_admission_policy_not_after_seconds",] == 1_798_761_600
    assert found["mcp_admission_emergency_revision", ("revision", "emergency@b.7")] == 2
    assert ("mcp_admission_policy_not_after_seconds",) not in read(packed(Telemetry()))


def test_latencies_fall_into_buckets() -> None:
    telemetry = Telemetry()
    for micros in (100, 101, 2_000_000):
        decided(telemetry, policy_micros=micros)
    found = read(packed(telemetry))
    name = "mcp_admission_decision_seconds_bucket"
    assert [found[name, ("le", bound)] for bound in ("0.0001", "0.0002", "1", "+Inf")] == [1, 2, 2, 3]
    assert found["mcp_admission_decision_seconds_sum",] == pytest.approx(2.000201)


def test_gauges_of_other_modules_are_shown() -> None:
    telemetry = Telemetry()
    gauges = Gauges(
        ready=True,
        observe=True,
        revision="dev@0123456789ab.7",
        policy_age_s=3,
        journal_space_bytes=80,
        journal_budget_bytes=100,
        journal_lag_s=0.5,
        journal_failed=True,
        journal_lost=4,
    )
    found = read(packed(telemetry, gauges), packed(telemetry, Gauges(policy_age_s=9, revision="dev@0123456789ab.7")))
    assert found["mcp_admission_policy_revision", ("revision", "dev@0123456789ab.7")] == 2
    assert found["mcp_admission_policy_age_seconds",] == 9
    assert found["mcp_admission_journal_space_bytes",] == 80
    assert found["mcp_admission_journal_budget_bytes",] == 100
    assert found["mcp_admission_journal_lag_seconds",] == 0.5
    assert found["mcp_admission_journal_lost_total",] == 4
    assert found["mcp_admission_ready_workers",] == 1
    assert found["mcp_admission_observing_workers",] == 1
    assert found["mcp_admission_journal_failed_workers",] == 1


def test_a_name_that_no_program_chose_is_other() -> None:
    telemetry = Telemetry()
    decided(telemetry, "deny", 'x"} 1\nevil', server="../x")
    telemetry.upstream("Ünknown")
    found = read(packed(telemetry))
    labels = (("outcome", "deny"), ("requirement", OTHER), ("server", OTHER))
    assert found["mcp_admission_decisions_total", *labels] == 1
    assert found["mcp_admission_upstream_exchanges_total", ("outcome", OTHER)] == 1


def test_labels_are_bounded_and_nothing_goes_uncounted() -> None:
    telemetry = Telemetry(capacity=3)
    for index in range(50):
        decided(telemetry, "deny", f"requirement_{index}")
        telemetry.malformed(f"code_{index}")
    samples = telemetry.samples()
    assert len(samples.decisions) == 4
    assert sum(count for *_, count in samples.decisions) == 50
    assert len(samples.refused) == 4
    assert sum(samples.refused.values()) == 50


@given(st.lists(st.integers(0, 10**7)))
def test_every_observation_is_in_one_bucket(observed: list[int]) -> None:
    telemetry = Telemetry()
    for micros in observed:
        decided(telemetry, added_micros=micros)
    latency = telemetry.samples().added
    assert len(latency.counts) == len(BOUNDS_US) + 1
    assert (sum(latency.counts), latency.total_us) == (len(observed), sum(observed))


@pytest.mark.parametrize("garbage", [b"", b"\x80", b"\xc1", b"nonsense", msgspec.msgpack.encode({"decision": 1})])
def test_samples_that_cannot_be_read_are_left_out(garbage: bytes) -> None:
    found = read(garbage, packed(Telemetry()))
    assert found["mcp_admission_workers",] == 1
    assert found["mcp_admission_unreadable_samples",] == 1


@given(st.binary())
def test_any_bytes_are_rendered(garbage: bytes) -> None:
    assert b"mcp_admission_workers" in render([garbage])


def test_without_workers_there_are_still_metrics() -> None:
    assert read()["mcp_admission_workers",] == 0


def test_the_memory_of_this_process_is_known() -> None:
    assert 10_000_000 < resident_bytes() < 10_000_000_000


def test_counting_a_decision_is_cheap() -> None:
    telemetry, rounds = Telemetry(), 2_000
    best = min(_timed(telemetry, rounds) for _ in range(5))
    assert best / rounds < 20e-6


def _timed(telemetry: Telemetry, rounds: int) -> float:
    begun = time.perf_counter()
    for _ in range(rounds):
        telemetry.decided(outcome="deny", requirement="rules_permit", policy_micros=150, added_micros=900)
    return time.perf_counter() - begun
