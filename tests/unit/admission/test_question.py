"""A message is stated as a question for the policy."""

import pytest

from gateway.admission.question import moment

NS = 1_000_000_000
MIDNIGHT = 1_798_761_600


@pytest.mark.parametrize("first", [0, 1])
def test_moments_of_one_second_differ_in_nothing_but_their_nanoseconds(first: int) -> None:
    moments = [moment(MIDNIGHT * NS + offset) for offset in ((0, 999_999_999) if first else (999_999_999, 0))]
    assert {one.unix_ns % NS for one in moments} == {0, 999_999_999}
    assert {one.rfc3339 for one in moments} == {"2027-01-01T00:00:00Z"}


def test_the_last_moment_of_a_day_is_not_of_the_next() -> None:
    last, first = moment(MIDNIGHT * NS - 1), moment(MIDNIGHT * NS)
    assert (last.weekday, last.hour, last.minute) == ("thursday", 23, 59)
    assert (first.weekday, first.hour, first.minute) == ("friday", 0, 0)
