"""The fairness suite judges as it says."""

from collections import Counter

import pytest

from tests.fairness.__main__ import CALLS, Row
from tests.fairness.case import CASES
from tests.fairness.cases import load
from tests.fairness.victim import Latencies


def latencies(millis: float, count: int = CALLS, refused: int = 0) -> Latencies:
    return Latencies(millis=[millis] * count, refused=Counter({"policy_unavailable": refused} if refused else {}))


def row(attacked: Latencies, *, idle: float = 4.0, recovered: bool = True) -> Row:
    return Row(name="x", idle=latencies(idle), attacked=attacked, recovered=recovered)


@pytest.mark.parametrize(
    ("judged", "verdict", "inconclusive"),
    [
        (row(latencies(20.0)), "", False),
        (row(latencies(20.1)), "median above 5 times idle", False),
        (row(latencies(4.0, refused=1)), "1 refused: policy_unavailable", False),
        (row(latencies(4.0, count=199)), "fewer than 200 calls", False),
        (row(latencies(40.0, count=100), idle=20.0), "", True),
        (row(latencies(400.0, count=10), idle=20.0), "median above 5 times idle; fewer than 200 calls", False),
        (row(Latencies(millis=[20.0, 20.0, 900.0], refused=Counter()), idle=20.0), "fewer than 200 calls", False),
        (row(latencies(4.0), recovered=False), "still slow 5 s after the attack", False),
    ],
)
def test_a_case_is_judged_by_median_refusals_and_recovery(judged: Row, verdict: str, *, inconclusive: bool) -> None:
    assert (judged.verdict, judged.inconclusive) == (verdict, inconclusive)
    assert ("ok" in str(judged)) is (not verdict and not inconclusive)


def test_every_case_says_what_it_does() -> None:
    load()
    assert len(CASES) > 90
    assert all(case.title != case.name for case in CASES.values())
