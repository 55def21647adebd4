"""Expected changes explain flips that match them, and no others."""

from typing import Any

import pytest

from gateway.review.expected_changes import Expected, read_expected
from gateway.review.outcome_flips import OVER, Example, Flips, Kind

NOW = 1_795_183_200_000_000_000  # 2026-11-20T14:00:00Z
FLIP = Kind(
    before="deny",
    after="allow",
    agent="support-bot",
    server="slack",
    target="post_message",
    rule_before="only-reads",
    requirement_before="rules_permit",
    rule_after="may-post",
)


def read(text: str) -> Expected:
    return read_expected("expected-changes.yaml", text.encode(), NOW)


def entry(**changes: str) -> str:
    fields = {"from": "deny", "to": "allow", "server": "slack", "owner": "a@example.com", "reason": "SEC-1"} | changes
    return "changes:\n  - {" + ", ".join(f'{name}: "{value}"' for name, value in fields.items() if value) + "}\n"


@pytest.mark.parametrize(
    "named",
    [
        {"server": "slack"},
        {"server": "*"},
        {"rule": "only-reads"},
        {"rule": "may-*"},
        {"requirement": "rules_permit"},
        {"agent": "support-???"},
        {"target": "post_*", "agent": "support-bot"},
        {"expires": "2026-11-20"},
        {"expires": "2026-11-20T14:00:01Z"},
    ],
)
def test_an_entry_explains_flips_that_match_all_its_globs(named: dict[str, str]) -> None:
    expected = read(entry(**named))
    assert expected.problems == ()
    found = expected.explaining(FLIP)
    assert found is not None
    assert (found.owner, found.reason, found.line) == ("a@example.com", "SEC-1", 2)


@pytest.mark.parametrize(
    "named",
    [
        {"server": "slac"},
        {"server": "slack-*"},
        {"rule": "reads"},
        {"agent": "support-bot", "target": "delete"},
        {"from": "hold"},
        {"to": "hold"},
    ],
)
def test_an_entry_explains_nothing_that_one_of_its_words_does_not_fit(named: dict[str, str]) -> None:
    expected = read(entry(**named))
    assert expected.problems == ()
    assert expected.explaining(FLIP) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"owner": ""}, "lacks `owner`"),
        ({"owner": " "}, "lacks `owner`"),
        ({"reason": ""}, "lacks `reason`"),
        ({"from": ""}, "lacks `from`"),
        ({"to": "alow"}, "lacks `to`"),
        ({"server": ""}, "names nothing"),
        ({"servr": "slack"}, "`servr`"),
        ({"expires": "2026-11-19"}, "expired"),
        ({"expires": "2026-11-20T14:00:00Z"}, "expired"),
        ({"expires": "soon"}, "not a date"),
        ({"expires": "2026-11-30T14:00:00"}, "not a date"),
    ],
)
def test_a_malformed_or_expired_entry_explains_nothing_and_is_reported(changes: dict[str, str], said: str) -> None:
    expected = read(entry(**changes))
    assert expected.explaining(FLIP) is None
    assert any(said in str(problem) and "expected-changes.yaml:2" in str(problem) for problem in expected.problems)


@pytest.mark.parametrize("text", ["", "[", "changes: 1", "- from: deny", "changes: []\nmore: 1", "changes: [x]"])
def test_a_file_with_another_structure_explains_nothing_and_is_reported(text: str) -> None:
    expected = read(text)
    assert expected.problems
    assert expected.entries == ()


def test_a_valid_entry_counts_next_to_an_invalid_one() -> None:
    expected = read(entry() + "  - {from: deny}\n")
    assert expected.problems
    assert expected.explaining(FLIP) is not None


def test_no_entry_explains_flips_beyond_the_group_limit() -> None:
    over = Kind(before="deny", after="allow", agent=OVER)
    assert read(entry(server="*", agent="*")).explaining(over) is None


def test_entries_that_fit_nothing_are_named() -> None:
    expected = read(entry() + entry(server="github").removeprefix("changes:\n"))
    example: Any = Example(call_id="c", time="", reason_before="", reason_after="")
    (unused,) = expected.unused([Flips(kind=FLIP, count=1, example=example)])
    assert unused.line == 3
