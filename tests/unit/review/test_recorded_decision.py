"""Records that can be replayed, and the reasons why others cannot."""

from typing import Any

import pytest

from gateway.review.recorded_decision import WHY, Left, RecordedDecision, row_of

RECORD: dict[str, Any] = {
    "kind": "decided",
    "call_id": "c1",
    "time": "2026-11-20T14:00:00Z",
    "outcome": "deny",
    "code": "policy_denied",
    "replayable": True,
    "agent": {"id": "bot"},
    "server": "mail",
    "target": {"type": "tool", "name": "send"},
    "method": "tools/call",
    "rule": "no-mail",
    "requirement": "rules_permit",
    "reasons": [{"requirement": "rules_permit", "message": "no mail"}],
    "input": {"server": {"id": "mail"}},
}


def test_a_decision_of_the_policy_is_a_row_with_its_reason() -> None:
    row = row_of(RECORD)
    assert isinstance(row, RecordedDecision)
    assert (row.outcome, row.agent, row.server, row.target, row.rule) == ("deny", "bot", "mail", "send", "no-mail")
    assert (row.requirement, row.reason, row.whole, row.count) == ("rules_permit", "no mail", True, 1)


def test_a_message_without_a_target_is_named_by_its_method() -> None:
    row = row_of(RECORD | {"target": {"type": "none"}, "method": "tools/list"})
    assert isinstance(row, RecordedDecision)
    assert row.target == "tools/list"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"input": None}, "no_input"),
        ({"input": "text"}, "unreadable"),
        ({"outcome": "perhaps"}, "unreadable"),
        ({"code": "policy_unavailable"}, "no_decision"),
        ({"code": "policy_error"}, "no_decision"),
        ({"code": "policy_regressed"}, "no_decision"),
        ({"code": "session_unknown"}, "gateway"),
        ({"code": "a_code_of_a_later_gateway"}, "gateway"),
        ({"reasons": [{"requirement": "nothing_is_stopped", "message": "stopped"}]}, "stopped"),
    ],
)
def test_a_record_without_a_policy_decision_or_question_has_a_reason(changes: dict[str, Any], why: str) -> None:
    left = row_of(RECORD | changes)
    assert isinstance(left, Left)
    assert left.why == why
    assert WHY[left.why]
