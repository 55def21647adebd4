"""Outcomes are counted and flips are grouped without losing any."""

from gateway.review.outcome_flips import OVER, Matrix
from gateway.review.recorded_decision import Left
from gateway.review.replayed_outcome import ReplayedOutcome, Unanswered
from tests.unit.review.conftest import a_row


def test_every_decision_is_counted_by_its_old_and_new_outcome() -> None:
    matrix = Matrix()
    matrix.take(a_row(outcome="allow"), ReplayedOutcome(outcome="allow"))
    matrix.take(a_row(outcome="deny", count=4), ReplayedOutcome(outcome="allow", rule="new"))
    matrix.take(a_row(outcome="hold"), ReplayedOutcome(outcome="deny"))
    found = matrix.comparison()
    assert found.outcomes == {("allow", "allow"): 1, ("deny", "allow"): 4, ("hold", "deny"): 1}
    assert found.replayed == 6


def test_flips_are_grouped_by_reason_agent_and_target_with_one_example() -> None:
    matrix = Matrix()
    for call in ("c1", "c2"):
        matrix.take(
            a_row(call_id=call, rule="old", requirement="rules_permit"), ReplayedOutcome(outcome="allow", rule="new")
        )
    matrix.take(a_row(call_id="c3", agent="other", rule="old"), ReplayedOutcome(outcome="allow", rule="new"))
    first, second = matrix.comparison().flips
    assert (first.count, first.example.call_id, first.kind.rule_before, first.kind.rule_after) == (
        2,
        "c1",
        "old",
        "new",
    )
    assert (second.count, second.kind.agent) == (1, "other")


def test_loosening_flips_come_first_even_if_they_are_rare() -> None:
    matrix = Matrix()
    for _ in range(9):
        matrix.take(a_row(outcome="allow"), ReplayedOutcome(outcome="deny"))
    matrix.take(a_row(outcome="hold"), ReplayedOutcome(outcome="allow"))
    assert [each.kind.loosens for each in matrix.comparison().flips] == [True, False]


def test_more_groups_than_are_kept_are_counted_together() -> None:
    matrix = Matrix(most_groups=1)
    for name in ("a", "b", "c"):
        matrix.take(a_row(agent=name), ReplayedOutcome(outcome="allow"))
    kept, over = sorted(matrix.comparison().flips, key=lambda each: each.count)
    assert (kept.kind.agent, kept.count) == ("a", 1)
    assert (over.kind.agent, over.count, over.kind.loosens) == (OVER, 2, True)


def test_an_error_of_the_candidate_is_a_denial_that_is_shown() -> None:
    matrix = Matrix()
    matrix.take(
        a_row(outcome="allow"), ReplayedOutcome(outcome="deny", code="policy_error", reason="eval_builtin_error: x")
    )
    found = matrix.comparison()
    assert found.outcomes == {("allow", "deny"): 1}
    assert found.errors == {"policy_error: eval_builtin_error: x": 1}


def test_an_error_over_a_masked_question_says_nothing_of_the_candidate() -> None:
    matrix = Matrix()
    matrix.take(a_row(outcome="allow", whole=False), ReplayedOutcome(outcome="deny", code="policy_error"))
    assert matrix.comparison().left == {"masked": 1}
    assert not matrix.comparison().replayed


def test_a_missing_answer_is_not_a_denial() -> None:
    matrix = Matrix()
    matrix.take(a_row(outcome="allow"), Unanswered("OPA is gone"))
    matrix.leave(Left("no_input", 3))
    found = matrix.comparison()
    assert (found.unanswered, found.left, found.outcomes) == ({"OPA is gone": 1}, {"no_input": 3}, {})
