"""Conditions that contradict each other are a problem; conditions that may hold are accepted; doubtful ones are reported."""

# ruff: noqa: E501 - a case is a line

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy.rules.condition_conflicts import condition_conflicts, literals, never_holds
from gateway.policy.rules.condition_hints import condition_hints
from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.schema_checks import violations
from tests.conditions import Writer, inner


def environment(rule: str) -> Environment:
    document = read_document("rules/r.yaml", f"rules:\n  - {{rule: r, effect: allow, {rule}}}\n".encode())
    assert isinstance(document, Document), document
    assert violations(document, "rules") == []
    nothing: dict[str, Any] = dict.fromkeys(("catalog", "agents", "enforcement", "scenarios", "own"), ())
    return Environment(name="dev", settings=document, rules=(document,), **nothing)


def conflicts(*tests: str) -> list[str]:
    stated = ", ".join(f"{{path: /a, {test}}}" for test in tests)
    return [problem.what for problem in condition_conflicts(environment(f"arguments: [{stated}]"))]


@pytest.mark.parametrize(
    "tests",
    [
        ["above: 5", "below: 5"], ["at_least: 6", "at_most: 5"], ["above: 5", "at_most: 5"], ["none_of: [{at_most: 5}, {above: 5}]"],
        ["not: {at_most: 5}", "below: 6", "not: {above: 5}"], ["at_most: 5", "prefix: a"], ["absent: true", "equals: a"], ["absent: true", "not: {absent: true}"],
        ["equals: a", "equals: b"], ["in: [a, b]", "in: [c, d]"], ["equals: a", "not: {equals: a}"], ["in: [a, b]", "none_of: [{equals: a}, {equals: b}]"],
        ["equals: ab", "prefix: b"], ["in: [ab, ac]", "not: {glob: 'a*'}"], ["equals: 5", "above: 5"], ["equals: abc", "length: {at_most: 2}"], ["equals: true", "equals: 1"],
        ["prefix: a", "prefix: b"], ["prefix: ab", "not: {prefix: a}"], ["length: {above: 3}", "length: {below: 4}"], ["length: {below: 0}"], ["length: {above: 3}", "length: {below: 5}", "not: {length: {at_least: 4}}"],
        ["any_element: {equals: a}", "prefix: a"], ["matches: a", "not: {matches: a}"], ["host: [a.example]", "not: {host: [a.example]}"], ["not: {prefix: a}", "at_most: 5"],
    ],
)  # fmt: skip
def test_conditions_that_no_value_fits_are_a_problem(tests: list[str]) -> None:
    (said,) = conflicts(*tests)
    assert said.startswith("no value of `/a` can meet")


@pytest.mark.parametrize(
    "tests",
    [
        ["above: 5", "below: 6"], ["at_least: 5", "at_most: 5"], ["none_of: [{below: 5}, {above: 5}]"], ["prefix: a", "prefix: ab"], ["prefix: a", "not: {prefix: ab}"],
        ["in: [a, b]", "not: {equals: a}"], ["in: [a, 5]", "above: 4"], ["length: {above: 3}", "length: {below: 5}"], ["not: {length: {equals: 0}}"], ["length: {equals: 0}"],
        ["any_element: {equals: a}", "any_element: {equals: b}"], ["any_element: {equals: a}", "length: {at_most: 3}"], ["not: {absent: true}", "equals: null"], ["absent: true"],
        ["matches: '^a'", "glob: '*b'"], ["not: {none_of: [{equals: a}, {equals: b}]}", "equals: a"],
    ],
)  # fmt: skip
def test_conditions_that_some_value_fits_are_accepted(tests: list[str]) -> None:
    assert conflicts(*tests) == []


@settings(max_examples=500)
@given(seed=st.integers(0, 2**32))
def test_contradictory_conditions_never_hold_for_any_value(seed: int) -> None:
    writer = Writer(Random(seed))
    tests = [writer.test(1) for _ in range(2)]
    if never_holds([literal for test in tests for literal in literals(test)]):
        judgeable = [test for test in tests if "absent" not in json.dumps(test)]
        fitting = [writer.fitting(*next(iter(test.items()))) for test in judgeable for _ in range(10)]
        for value in [*fitting, *(writer.value() for _ in range(20))]:
            assert not all(inner(test, value) is True for test in tests), f"{tests} on {value}"


@pytest.mark.parametrize(
    ("rule", "is_empty"),
    [
        ("who: {agents: [a]}, unless: {who: {agents: [a, b]}}", True),
        ("when: {days: [monday]}, unless: {when: {days: [monday]}}", True),
        ("arguments: [{path: /a, above: 5}], unless: {arguments: [{path: /a, above: 5}]}", True),
        ("who: {agents: [a, b]}, unless: {who: {agents: [a]}}", False),
        ("unless: {who: {agents: [a]}}", False),
        ("arguments: [{path: /a, above: 5}], unless: {arguments: [{path: /a, above: 6}]}", False),
        ("who: {agents: [a]}, unless: {who: {agents: [a]}, when: {days: [monday]}}", False),
    ],
)
def test_an_exception_that_disables_its_rule_is_a_problem(rule: str, *, is_empty: bool) -> None:
    found = [problem.what for problem in condition_conflicts(environment(rule))]
    assert any("the rule never applies" in said for said in found) is is_empty


def test_conditions_of_an_exception_must_fit_one_another() -> None:
    (problem,) = condition_conflicts(environment("unless: {arguments: [{path: /a, above: 5}, {path: /a, below: 5}]}"))
    assert problem.line == 2


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("path: /path, prefix: notes/", "within"), ("path: /file, glob: 'a*'", "within"), ("path: /x, prefix: /reports/", "within"), ("path: /x, matches: '^/reports/'", "within"),
        ("path: /url, prefix: 'api'", "host"), ("path: /x, prefix: 'https://api.example.com'", "host"), ("path: /callbackUrl, glob: '*example*'", "host"), ("path: /to, glob: '*@example.com'", "domain"),
        ("path: /to/0, matches: 'example.com$'", "domain"), ("path: /x, glob: '*@example.com'", "domain"), ("path: /to, any_element: {not: {glob: '*@example.com'}}", "domain"), ("path: /emailAddress, matches: example", "domain"),
    ],
)  # fmt: skip
def test_texts_that_look_like_paths_urls_and_addresses_are_reported(condition: str, word: str) -> None:
    for rule in (f"arguments: [{{{condition}}}]", f"unless: {{arguments: [{{{condition}}}]}}"):
        (hint,) = condition_hints(environment(rule))
        assert hint.remedy == f"Write `{word}: [...]`."


@pytest.mark.parametrize(
    "condition",
    [
        "path: /channel, prefix: sales-", "path: /path, equals: notes/a", "path: /path, within: [notes]", "path: /title, glob: 'a*'", "path: /path, matches: '^notes/[a-z]+[.]md$'",
        "path: /topic, matches: release", "path: /token, prefix: a",
    ],
)  # fmt: skip
def test_texts_that_are_only_texts_are_not_reported(condition: str) -> None:
    assert list(condition_hints(environment(f"arguments: [{{{condition}}}]"))) == []


@pytest.mark.parametrize("test", ["glob: '*'", "matches: '.*'", "length: {at_least: 0}", "within: ['.', /]"])
def test_a_test_that_never_fails_is_reported(test: str) -> None:
    (hint,) = condition_hints(environment(f"arguments: [{{path: /path, {test}}}]"))
    assert "is true for every value of its type" in hint.what
