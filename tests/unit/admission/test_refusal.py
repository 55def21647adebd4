"""What a refused caller reads: whether to come again is said as the table of failures has it."""

import pytest

from gateway.admission.refusal import Stage, Wording, data, own, text
from gateway.protocol.errors import FAILURES


@pytest.mark.parametrize("code", FAILURES)
def test_only_what_will_be_refused_again_says_not_to_be_retried(code: str) -> None:
    said = text(own(code, "a reason", "a remedy"), Wording())
    assert ("Do not retry this unchanged." in said) is not FAILURES[code].passing
    assert "What to do: a remedy" in said


@pytest.mark.parametrize(
    ("stage", "executed", "sent"),
    [
        ("refused", "Nothing was executed.", False),
        ("unsent", "Nothing was executed.", False),
        ("unknown", "It may have been executed.", True),
        ("failed", "It may have been executed.", True),
        ("withheld", "It may have been executed.", True),
    ],
)
def test_a_refusal_says_whether_the_request_was_sent(stage: Stage, executed: str, *, sent: bool) -> None:
    refusal = own("upstream_broken", "a reason", stage=stage)
    said = text(refusal, Wording())
    assert executed in said.splitlines()[0]
    assert ("Check whether it was executed before you repeat it." in said) is sent
    assert data(refusal, Wording())["sent"] is sent


@pytest.mark.parametrize("code", FAILURES)
def test_only_a_decision_of_policy_is_called_a_refusal_by_policy(code: str) -> None:
    decided = code in {"policy_denied", "approval_required"}
    assert text(own(code, "a reason"), Wording()).startswith("Refused by policy") is decided
