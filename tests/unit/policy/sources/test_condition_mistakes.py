"""Common mistakes in conditions are refused, with their line and the word to use."""

# ruff: noqa: E501 - a case is a line

import pytest

from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.schema_checks import schema, violations


def problems(condition: str, key: str = "arguments") -> list[Problem]:
    text = f"rules:\n  - rule: r\n    effect: deny\n    {key}:\n      - {condition}\n"
    document = read_document("rules/r.yaml", text.encode())
    assert isinstance(document, Document), document
    return violations(document, "rules")


@pytest.mark.parametrize(
    "condition",
    [
        "{path: /n, at_most: 100}", "{path: /n, at_least: 0.5}", "{path: /n, above: -1}", "{path: /n, below: 0}",
        "{path: /t, length: {at_most: 10}}", "{path: /t, length: {equals: 0}}", "{path: /t, absent: true}",
        "{path: /t, not: {absent: true}}", "{path: /t, not: {not: {equals: null}}}", "{path: /t, none_of: [{prefix: a}, {glob: b*}]}",
        "{path: /t, sql: {dialect: postgres, only: [select]}}", "{path: /t, not: {sql: {dialect: mysql, only: [select, several]}}}",
        "{path: /t, any_element: {not: {equals: a}}}", "{path: /t, every_element: {length: {above: 3}}}",
    ],
)  # fmt: skip
def test_the_tests_of_the_language_are_accepted(condition: str) -> None:
    assert problems(condition) == []


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("{path: /t, sql: [select]}", "{dialect: postgres, only: [select]}"), ("{path: /t, sql: {dialect: tsql, only: [select]}}", "mysql, postgres or sqlite"),
        ("{path: /t, sql: {dialect: mysql, only: [drop]}}", "select, insert"), ("{path: /t, read_only: true}", "`sql: {dialect"),
        ("{path: /n, max: 100}", "`above: 100`"), ("{path: /n, max: 100}", "`at_most: 100`"), ("{path: /n, min: 1}", "`at_least: 10`"), ("{path: /n, min: 1}", "`below: 10`"),
        ("{path: /n, maximum: 1}", "`at_most"), ("{path: /n, less_than: 1}", "`below`"), ("{path: /n, lessThan: 1}", "`below`"), ("{path: /n, Less-Than: 1}", "`below`"),
        ("{path: /n, lte: 1}", "`at_most`"), ("{path: /n, gt: 1}", "`above`"), ("{path: /n, greater_than_or_equal: 1}", "`at_least`"),
        ("{path: /n, between: [1, 2]}", "two conditions"), ("{path: /n, atmost: 1}", "`at_most`"), ("{path: /n, at-most: 1}", "`at_most`"),
        ("{path: /t, contains: a}", "`any_element: {equals: ...}`"), ("{path: /t, contains: a}", '`glob: "*text*"`'), ("{path: /t, not_contains: a}", "`not: {any_element"),
        ("{path: /t, any: {equals: a}}", "`any_element"), ("{path: /t, all: {equals: a}}", "`every_element"), ("{path: /t, all_of: [{equals: a}]}", "`every_element"), ("{path: /t, none: {equals: a}}", "`none_of"),
        ("{path: /t, not_in: [a]}", "`not: {in: [...]}`"), ("{path: /t, not_equals: a}", "`not: {equals: ...}`"), ("{path: /t, equal: a}", "`equals`"), ("{path: /t, one_of: [a]}", "`in: [...]`"),
        ("{path: /t, exists: false}", "`absent: true`"), ("{path: /t, exists: true}", "`not: {absent: true}`"), ("{path: /t, present: true}", "`not: {absent: true}`"), ("{path: /t, missing: true}", "`absent: true`"),
        ("{path: /t, is_null: true}", "`equals: null`"), ("{path: /t, absent: false}", "`not: {absent: true}`"), ("{path: /t, absent: yes}", "`not: {absent: true}`"),
        ("{path: /t, regex: a}", "`matches`"), ("{path: /t, pattern: a}", "`matches`"), ("{path: /t, starts_with: a}", "`prefix`"), ("{path: /t, startsWith: a}", "`prefix`"), ("{path: /t, ends_with: a}", '`glob: "*text"`'), ("{path: /t, suffix: a}", "`glob"),
        ("{path: /t, max_length: 3}", "`length: {at_most"), ("{path: /t, minLength: 3}", "`length: {at_least"), ("{path: /t, size: 3}", "`length`"), ("{path: /t, count: 3}", "`length`"),
        ("{path: /t, length: 3}", "such as {at_most: 10}"), ("{path: /t, length: {max: 3}}", "at_most"), ("{path: /t, length: {at_most: -1}}", "0 or more"), ("{path: /t, length: {at_most: 1.5}}", "whole number"), ("{path: /t, length: {}}", "at_most"), ("{path: /t, length: {above: 1, below: 5}}", "one of"),
        ("{path: /t, at_most: '100'}", "number"), ("{path: /t, above: true}", "number"),
        ("{path: /t, prefix: a, glob: b*}", "write several conditions"), ("{path: /t}", "one test"), ("{equals: a}", "Add `path`"), ("equals: a", "Add `path`"), ("/t", "`path` and one test"),
        ("{path: /t, not: {prefix: a, glob: b*}}", "`none_of`"), ("{path: /t, not: {}}", "one of"), ("{path: /t, not: a}", "such as {prefix: a}"), ("{path: /t, not: [{equals: a}]}", "`none_of`"), ("{path: /t, none_of: {equals: a}}", "list of tests"), ("{path: /t, none_of: []}", "list of tests"), ("{path: /t, none_of: [a]}", "such as {prefix: a}"),
        ("{path: /t, any_element: {path: /mail, equals: a}}", "Remove `path`"), ("{path: /t, any_element: {max: 1}}", "`at_most"), ("{path: /t, not: {starts_with: a}}", "`prefix`"), ("{path: /t, none_of: [{not: {regex: a}}]}", "`matches`"),
        ("{path: /t, email: a@b.example}", "`domain"), ("{path: /t, url: https://a.example}", "`host"), ("{path: /t, directory: /a}", "`within"), ("{path: /t, ignore_case: true}", "(?i)"),
        ("{path: /t, equels: a}", "`equals`"), ("{path: t, equals: a}", "JSON pointer"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_the_word_to_use(condition: str, word: str) -> None:
    found = problems(condition)
    assert found
    assert {(problem.file, problem.line) for problem in found} == {("rules/r.yaml", 5)}
    assert any(word in problem.remedy for problem in found), found


@pytest.mark.parametrize("word", ["conditions", "if", "where", "args"])
def test_another_word_for_arguments_is_refused_with_the_right_one(word: str) -> None:
    (problem,) = problems("{path: /n, equals: 1}", word)
    assert problem.what == f"`{word}` is not known here."
    assert "Write `arguments`" in problem.remedy


@pytest.mark.parametrize(
    ("exception", "line", "words"),
    [
        ("unless: {agents: [a]}", 4, "Write `who: {agents: [...]}`"),
        ("unless: {hours: '08:00-18:00'}", 4, "Write `when: {...}`"),
        ("unless: {path: /n, equals: 1}", 4, "Write `arguments: [{path: ..., ...}]`"),
        ("unless: {what: {tools: [a]}}", 4, "An exception has no `what`"),
        ("unless: {tools: [a]}", 4, "An exception has no `what`"),
        ("unless: {}", 4, "one or more of who, when, arguments"),
        ("unless: [{who: {agents: [a]}}]", 4, "one or more of who, when, arguments"),
        ("unless: {who: {agent: [a]}}", 4, "Did you mean `agents`?"),
        ("unless: {arguments: [{path: /n, max: 1}]}", 4, "`above: 100`"),
        ("unless: {when: {days: [Monday]}}", 4, "Days of the week"),
        ("except: {who: {agents: [a]}}", 4, "Write `unless`"),
        ("exceptions: [{who: {agents: [a]}}]", 4, "Write `unless`"),
        ("tools: [a]", 4, "Write `what: {tools: [...]}`"),
        ("agents: [a]", 4, "Write `who: {agents: [...]}`"),
    ],
)
def test_a_mistake_in_an_exception_is_refused_with_the_word_to_use(exception: str, line: int, words: str) -> None:
    document = read_document("rules/r.yaml", f"rules:\n  - rule: r\n    effect: deny\n    {exception}\n".encode())
    assert isinstance(document, Document), document
    found = violations(document, "rules")
    assert {problem.line for problem in found} == {line}
    assert any(words in problem.remedy for problem in found), found


def test_an_exception_is_of_who_when_and_arguments() -> None:
    stated = "{who: {labels: [on-call]}, when: {days: [monday]}, arguments: [{path: /n, above: 1}]}"
    document = read_document("rules/r.yaml", f"rules:\n  - {{rule: r, effect: deny, unless: {stated}}}\n".encode())
    assert isinstance(document, Document), document
    assert violations(document, "rules") == []


def test_no_word_that_is_refused_with_another_is_one_of_the_language() -> None:
    definitions = schema("rules")["$defs"]
    for node in definitions.values():
        assert not node.get("instead", {}).keys() & node["properties"].keys() if "instead" in node else True
    assert not definitions["condition"]["instead"].keys() & definitions["test"]["properties"].keys()


def test_every_remedy_for_a_mistake_is_a_sentence() -> None:
    definitions = schema("rules")["$defs"]
    said = {text for node in definitions.values() for text in node.get("instead", {}).values()}
    assert said
    assert all(text.endswith((".", "`.")) for text in said)
