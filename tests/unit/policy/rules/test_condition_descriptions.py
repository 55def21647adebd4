"""Conditions are shown in the words of the YAML."""

from typing import Any

import pytest

from gateway.policy.rules.condition_descriptions import condition_words
from gateway.policy.rules.rule_conditions import tests_of as every_test


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ({"equals": "a"}, '/to: equals "a"'),
        ({"in": ["a", 5]}, '/to: in "a", 5'),
        ({"at_most": 10}, "/to: at most 10"),
        ({"max": 10}, "/to: max 10"),
        ({"length": {"above": 3}}, "/to: length: above 3"),
        ({"absent": True}, "/to: absent"),
        ({"not": {"absent": True}}, "/to: not absent"),
        ({"not": {"in": ["a", "b"]}}, '/to: not in "a", "b"'),
        ({"not": {"prefix": "a"}}, '/to: not prefix "a"'),
        ({"not": {"length": {"equals": 3}}}, "/to: not (length: equals 3)"),
        ({"none_of": [{"prefix": "a"}, {"at_least": 2}]}, '/to: none of (prefix "a"; at least 2)'),
        ({"any_element": {"not": {"domain": ["example.com"]}}}, "/to: any element: domain not in example.com"),
        ({"every_element": {"host": ["*.b.example", "c.d"]}}, "/to: every element: host in *.b.example, c.d"),
        ({"not": {"any_element": {"equals": 1}}}, "/to: not (any element: equals 1)"),
        ({"within": ["/reports", "/tmp"]}, "/to: within /reports, /tmp"),
        ({"sql": {"dialect": "mysql", "only": ["select", "call"]}}, "/to: sql (mysql) only select, call"),
        ({"not": {"within": ["/etc"]}}, "/to: not within /etc"),
        ({"not": {"not": {"equals": None}}}, "/to: not (not equals null)"),
    ],
)  # fmt: skip
def test_a_condition_is_shown_in_words(test: dict[str, Any], words: str) -> None:
    assert condition_words({"path": "/to", **test}) == words


def test_every_test_of_a_rule_is_found_with_its_place() -> None:
    nested = {"path": "/to", "any_element": {"none_of": [{"not": {"equals": "a"}}, {"matches": "b"}]}}
    found = [(each.word, each.pointer, each.lists, each.outer) for each in every_test({"arguments": [nested]})]
    start = "/arguments/0/any_element"
    assert found == [
        ("any_element", start, 0, ()),
        ("none_of", f"{start}/none_of", 1, ("any_element",)),
        ("not", f"{start}/none_of/0/not", 1, ("any_element", "none_of")),
        ("equals", f"{start}/none_of/0/not/equals", 1, ("any_element", "none_of", "not")),
        ("matches", f"{start}/none_of/1/matches", 1, ("any_element", "none_of")),
    ]
