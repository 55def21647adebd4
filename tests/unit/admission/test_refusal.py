"""What a refused caller reads: whether to come again is said as the table of failures has it."""

import pytest

from gateway.admission.refusal import Wording, own, text
from gateway.protocol.errors import FAILURES


@pytest.mark.parametrize("code", FAILURES)
def test_only_what_will_be_refused_again_says_not_to_be_retried(code: str) -> None:
    said = text(own(code, "a reason", "a remedy"), Wording())
    assert ("Do not retry this unchanged." in said) is not FAILURES[code].passing
    assert "What to do: a remedy" in said
