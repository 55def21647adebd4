"""Floods of refused callers."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.principal import Principal
from gateway.identity.refused_callers import OTHERS, Aggregate, RefusedCallers

SECOND = 1_000_000_000


def test_the_first_refusal_is_recorded_at_once_and_the_others_together() -> None:
    aggregate = Aggregate()
    recorded = [aggregate.first("10.0.0.1", "slack", "token_missing", 5 * SECOND + step) for step in range(4)]
    assert recorded == [True, False, False, False]
    assert aggregate.over(5 * SECOND + 9) == []
    wanted = RefusedCallers(source_ip="10.0.0.1", server="slack", cause="token_missing", second=5, count=3)
    assert aggregate.over(6 * SECOND) == [wanted]
    assert aggregate.over(6 * SECOND) == []


def test_a_single_refusal_leaves_nothing_to_record_later() -> None:
    aggregate = Aggregate()
    assert aggregate.first("10.0.0.1", "slack", "token_missing", SECOND)
    assert aggregate.over(2 * SECOND) == []


def test_refusals_of_two_callers_behind_one_address_are_recorded_apart() -> None:
    aggregate = Aggregate()
    ann, ben = (Principal(kind="user", method="jwt", issuer="i", subject=name) for name in ("ann", "ben"))
    callers = [ann, ben, ann, ann, None, ben]
    recorded = [aggregate.first("10.0.0.1", "s", "request_not_own", SECOND, caller=caller) for caller in callers]
    assert recorded == [True, True, False, False, True, False]
    assert [(flood.caller, flood.count) for flood in aggregate.over(2 * SECOND)] == [(ann, 2), (ben, 1)]


def test_sources_beyond_the_capacity_share_one_entry() -> None:
    aggregate = Aggregate(capacity=3)
    recorded = [aggregate.first(f"10.0.0.{index}", "slack", "token_missing", SECOND) for index in range(10)]
    assert recorded == [True, True, True, True] + [False] * 6
    assert [(flood.source_ip, flood.count) for flood in aggregate.over(2 * SECOND)] == [(OTHERS, 6)]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), max_size=200))
def test_every_refusal_is_in_exactly_one_record_and_memory_is_bounded(refusals: list[tuple[int, int]]) -> None:
    aggregate, recorded, now = Aggregate(capacity=5), 0, SECOND
    counted: list[RefusedCallers] = []
    for source, step in refusals:
        now += step * SECOND // 2
        recorded += aggregate.first(str(source), "slack", "token_missing", now)
        assert len(aggregate._counts) <= 6
        counted += aggregate.over(now)
    counted += aggregate.over(now + SECOND)
    assert recorded + sum(flood.count for flood in counted) == len(refusals)
