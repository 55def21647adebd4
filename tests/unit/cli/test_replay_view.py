"""A replay's report for people: at a terminal and as a comment on a pull request."""

import textwrap
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.artifact.manifest import BundleMetadata, Manifest
from gateway.cli import main
from gateway.cli.replay_markdown import MOST_CHARACTERS, code, markdown
from gateway.cli.replay_view import shown
from gateway.review.expected_changes import Expected, read_expected
from gateway.review.outcome_flips import Matrix
from gateway.review.recorded_decision import Left
from gateway.review.replayed_outcome import ReplayedOutcome, Unanswered
from gateway.review.report import REMEDY, ReplayReport, document
from tests.unit.review.conftest import a_row

NASTY = "`x` [a](http://evil.example) @octocat <img src=x> | **b**\n# title\x1b[2J"


def a_report(matrix: Matrix, expected: Expected | None = None, **changes: Any) -> ReplayReport:
    manifest = Manifest(revision="production@0123456789ab.7", metadata=BundleMetadata(environment="production", seq=7))
    fields: dict[str, Any] = {"manifest": manifest, "comparison": matrix.comparison(), "seconds": 2.0}
    return ReplayReport(expected=expected or Expected(), **(fields | changes))


def loosening(groups: int = 1, **changes: Any) -> Matrix:
    matrix = Matrix()
    for number in range(groups):
        named: dict[str, Any] = {"agent": f"bot-{number}", "rule": "old", "requirement": "rules_permit"}
        row = a_row(None, **(named | changes))
        matrix.take(row, ReplayedOutcome(outcome="allow", rule="new"))
    return matrix


def test_the_table_shows_outcomes_flips_and_why_it_fails() -> None:
    matrix = loosening(reason="nobody is there")
    matrix.leave(Left("masked", 12))
    text = shown(a_report(matrix), 10, color=False)
    assert "1 decisions replayed on production@0123456789ab.7" in text
    assert "deny → allow  1 times  bot-0 → mail send" in text
    assert "was  rules_permit by rule old: nobody is there" in text
    assert "now  rule new" in text
    assert "12  the candidate reads a field that was masked" in text
    assert "no expected change explains this" in text
    failed = "FAILED: 1 refused or held decisions would be allowed, but no expected change explains them."
    assert text.splitlines()[-2:] == [failed, REMEDY]


def test_a_passed_replay_is_reported() -> None:
    matrix = Matrix()
    matrix.take(a_row(outcome="allow"), ReplayedOutcome(outcome="allow"))
    text = shown(a_report(matrix), 10, color=False)
    assert text.endswith("passed: the candidate loosens nothing unexpected.")
    assert REMEDY not in markdown(a_report(matrix), 10)


def test_the_comment_names_the_remedy_and_the_help_shows_an_entry_that_works() -> None:
    report = a_report(loosening(target="delete_mail", server="mail"))
    assert f"- {REMEDY}" in markdown(report, 10).splitlines()
    helped = CliRunner().invoke(main, ["replay", "--help"]).stdout
    entry = textwrap.dedent(helped[helped.index("  changes:") :])
    assert report.unexplained
    assert not a_report(
        loosening(target="delete_mail", server="mail"), read_expected("e.yaml", entry.encode(), 0)
    ).failures


def test_an_expected_loosening_names_who_answers_for_it() -> None:
    entry = "changes: [{from: deny, to: allow, rule: old, owner: a@example.com, reason: SEC-1}]"
    report = a_report(loosening(), read_expected("e.yaml", entry.encode(), 0))
    assert not report.failures
    assert "expected by a@example.com: SEC-1 (e.yaml:1)" in shown(report, 10, color=False)
    assert "expected by `a@example.com`: `SEC-1`" in markdown(report, 10)


def test_a_question_without_an_answer_fails() -> None:
    matrix = loosening()
    matrix.take(a_row(), Unanswered("OPA is gone"))
    assert a_report(matrix).failures[-1] == "1 questions got no answer from OPA."
    assert "OPA is gone" in shown(a_report(matrix), 10, color=False)


def test_a_replay_of_nothing_fails_unless_that_is_allowed() -> None:
    assert a_report(Matrix()).failures
    assert not a_report(Matrix(), may_be_empty=True).failures


def test_more_groups_than_wanted_are_counted() -> None:
    assert "and 3 more groups with 3 decisions" in shown(a_report(loosening(5)), 2, color=False)
    assert "and 3 more groups with 3 decisions" in markdown(a_report(loosening(5)), 2)


@pytest.mark.parametrize("field", ["agent", "server", "target", "rule", "requirement", "reason", "call_id", "time"])
def test_text_from_a_client_is_never_markup_and_cannot_move_the_cursor(field: str) -> None:
    report = a_report(loosening(1, **{field: NASTY}))
    comment, table = markdown(report, 10), shown(report, 10, color=False)
    assert code(NASTY) in comment
    assert "\x1b" not in comment + table
    assert "\n# title" not in comment + table
    outside = "".join(comment.split("`")[::2])
    assert not any(mark in outside for mark in ("octocat", "evil", "<img", "title"))


@pytest.mark.parametrize("text", [NASTY, "``", "`", "a`b``c```d", "x" * 500])
def test_a_code_span_ends_where_we_end_it(text: str) -> None:
    assert code(text).count("`") == 2
    assert len(code(text)) <= 162
    assert "\n" not in code(text)


def test_a_comment_is_never_longer_than_one_may_be_and_counts_what_did_not_fit() -> None:
    comment = markdown(a_report(loosening(3_000, reason="x" * 300)), 3_000)
    assert len(comment) <= MOST_CHARACTERS
    assert "more groups with" in comment


def test_a_comment_stays_short_whatever_errors_and_problems_there_are() -> None:
    matrix = loosening(3_000, reason="é" * 300)
    for number in range(200):
        error = ReplayedOutcome(outcome="deny", code="policy_error", reason=f"{number} " + "y" * 400)
        matrix.take(a_row(), error)
    expected = read_expected("e.yaml", b"changes: [" + b"{from: deny}," * 500 + b"]", 0)
    comment = markdown(a_report(matrix, expected), 3_000)
    assert len(comment) <= MOST_CHARACTERS


def test_the_document_has_every_flip_and_every_count() -> None:
    matrix = loosening(3, reason="r")
    matrix.leave(Left("no_input", 2))
    told = document(a_report(matrix))
    assert told["passes"] is False
    assert len(told["flips"]) == 3
    assert told["outcomes"]["deny"] == {"allow": 3, "hold": 0, "deny": 0}
    assert told["not_replayed"]["no_input"]["count"] == 2
