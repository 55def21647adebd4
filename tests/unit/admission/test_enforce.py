"""Every way in which a policy fails to decide is a refusal in words of its own, under a code of its own."""

from typing import get_args

import pytest

from gateway.admission.decision import FailureCode, PolicyFailure
from gateway.admission.enforce import undecided
from gateway.protocol.errors import FAILURES

CODES: tuple[FailureCode, ...] = get_args(FailureCode)


@pytest.mark.parametrize("code", CODES)
def test_a_policy_that_does_not_decide_is_refused_under_its_own_code(code: FailureCode) -> None:
    refusal = undecided(PolicyFailure(code=code, detail="a detail for the record", revision="dev@aaaaaaaaaaaa.1"))
    assert refusal.code == code
    (reason,) = refusal.reasons
    assert reason.message
    assert reason.remedy
    assert "a detail for the record" not in str(refusal), "policy data is not for the caller"
    assert FAILURES[code].status == 503


def test_no_twoundecideds_are_told_in_the_same_words() -> None:
    said = {undecided(PolicyFailure(code=code, detail="")).reasons[0].message for code in CODES}
    assert len(said) == len(CODES)
