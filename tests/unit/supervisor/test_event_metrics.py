"""Counts of the events of processes and policy."""

from gateway.artifact.rejection import MEANINGS
from gateway.supervisor.event_metrics import EventMetrics
from tests.unit.opa.support import Log


def test_events_are_passed_on_and_counted_by_name() -> None:
    log = Log()
    tally = EventMetrics(log)
    tally("opa_ended", code=1)
    tally("opa_ended", code=2)
    tally('x"} 1\nforged')
    assert log.named("opa_ended") == [{"code": 1}, {"code": 2}]
    assert tally.over(lambda _: b"first\n")([]).decode().splitlines()[:5] == [
        "first",
        "# HELP mcp_admission_events_total Events of processes and policy.",
        "# TYPE mcp_admission_events_total counter",
        'mcp_admission_events_total{event="opa_ended"} 2',
        'mcp_admission_events_total{event="other"} 1',
    ]


def test_each_reason_for_which_a_bundle_is_rejected_has_a_count_of_its_own() -> None:
    tally = EventMetrics(Log())
    tally("policy_rejected", code="bundle_unsigned")
    tally("policy_emergency_rejected", code="bundle_unsigned")
    tally("policy_rejected", code="policy_expired")
    tally("policy_rejected", code='forged"} 1')
    tally("opa_ended", code="bundle_delta")
    counted = [line for line in tally.text().decode().splitlines() if "bundles_rejected_total{" in line]
    assert len(counted) == len(MEANINGS)
    named = {code for code in MEANINGS if f'mcp_admission_bundles_rejected_total{{code="{code}"}} 0' not in counted}
    assert named == {"bundle_unsigned", "policy_expired"}
    assert 'mcp_admission_bundles_rejected_total{code="bundle_unsigned"} 2' in counted


def test_a_gauge_says_whether_the_last_save_is_refused() -> None:
    tally = EventMetrics(Log())
    seen: list[str] = []
    for event in ("policy_published", "policy_refused", "opa_ended", "policy_restored", "policy_watch_failed"):
        tally(event)
        seen.append(tally.text().decode().splitlines()[-1])
    assert seen == [f"mcp_admission_policy_refused {each}" for each in (0, 1, 1, 0, 1)]
    assert b"policy_refused" not in EventMetrics(Log()).text()
