"""Conditions on arguments mean what they are documented to mean, and keep their laws, whatever is written and sent.

Rule 1: the real OPA judges, many pairs of a condition and arguments in one evaluation.
"""

# ruff: noqa: E501 - a case is a line

import json
import subprocess
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from gateway.admission.policy_input import Target
from gateway.authoring.difference.conditions import is_wider
from gateway.policy.scenario_question import StatedQuestion, acting, question
from tests.conditions import WORDS, Verdict, Writer, condition, inner
from tests.property.judge import Judge
from tests.property.worlds import OWNER

NOW: Final = 1_795_000_000.0

QUERY: Final = """[{"holds": holds, "fails": fails} |
    some pair in input
    holds := {true | data.mcp.lib.conditions.holds(pair.condition) with input as pair}
    fails := {true | data.mcp.lib.conditions.fails(pair.condition) with input as pair}
]"""
PHASES: Final = (Phase.explicit, Phase.generate)
QUIET: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
SEEDS: Final = st.integers(0, 2**32)
Pair = tuple[dict[str, Any], Any]


@pytest.fixture(scope="module")
def library(checkout: Path) -> Path:
    return checkout / "rego" / "mcp" / "lib"


def verdicts(opa: Path, library: Path, pairs: list[Pair]) -> list[Verdict]:
    """Return what the Rego says of each pair; one that holds and fails is an error."""
    asked = json.dumps([{"condition": stated, "arguments": arguments} for stated, arguments in pairs])
    command = [opa, "eval", "--format=raw", "--strict-builtin-errors", "--stdin-input"]
    command += [f"--data={library / part}" for part in ("conditions", "patterns")]
    ran = subprocess.run([*command, QUERY], input=asked, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    answers = json.loads(ran.stdout)
    assert len(answers) == len(pairs)
    assert not any(each["holds"] and each["fails"] for each in answers)
    return [True if each["holds"] else False if each["fails"] else None for each in answers]


def written(seed: int) -> Writer:
    return Writer(Random(seed))


@settings(max_examples=8, phases=PHASES, suppress_health_check=QUIET)
@given(seed=SEEDS)
def test_a_condition_means_what_is_written_down_of_it(opa: Path, library: Path, seed: int) -> None:
    writer = written(seed)
    pairs = [(stated, writer.arguments(stated)) for stated in (writer.condition() for _ in range(600))]
    found = verdicts(opa, library, pairs)
    for (stated, arguments), verdict in zip(pairs, found, strict=True):
        wanted = condition(stated, arguments)
        assert verdict == wanted, f"{json.dumps(stated)} on {json.dumps(arguments)} {WORDS[verdict]}"
    assert min(found.count(True), found.count(False), found.count(None)) > len(found) / 20


@settings(max_examples=4, phases=PHASES, suppress_health_check=QUIET)
@given(seed=SEEDS)
def test_not_not_is_what_it_was_and_not_is_the_opposite(opa: Path, library: Path, seed: int) -> None:
    writer = written(seed)
    pairs = [(test, writer.arguments({"path": "/a", **test})) for test in (writer.test(1) for _ in range(200))]
    plain = [({"path": "/a", **test}, arguments) for test, arguments in pairs]
    once = [({"path": "/a", "not": test}, arguments) for test, arguments in pairs]
    twice = [({"path": "/a", "not": {"not": test}}, arguments) for test, arguments in pairs]
    several = [({"path": "/a", "none_of": [test]}, arguments) for test, arguments in pairs]
    every = verdicts(opa, library, [*plain, *once, *twice, *several])
    first, opposite, again, none = (every[number : number + 200] for number in range(0, 800, 200))
    assert again == first
    assert opposite == none == [None if each is None else not each for each in first]
    assert first.count(None) < 150


@settings(max_examples=4, phases=PHASES, suppress_health_check=QUIET)
@given(seed=SEEDS)
def test_any_element_is_not_every_element_not_in_any_order(opa: Path, library: Path, seed: int) -> None:
    writer = written(seed)
    pairs = [(writer.test(0, of_element=True), [writer.value(1) for _ in range(number % 4)]) for number in range(200)]
    one = [({"path": "/a", "any_element": test}, {"a": elements}) for test, elements in pairs]
    other = [({"path": "/a", "not": {"every_element": {"not": test}}}, {"a": elements}) for test, elements in pairs]
    turned = [(stated, {"a": arguments["a"][::-1]}) for stated, arguments in one]
    found = verdicts(opa, library, [*one, *other, *turned])
    assert found[:200] == found[200:400] == found[400:]


@settings(max_examples=400)
@given(seed=SEEDS)
def test_a_condition_that_is_called_wider_is_wider(seed: int) -> None:
    writer, rank = written(seed), {False: 0, None: 1, True: 2}
    first, second = writer.test(1), writer.test(1)
    wider = is_wider({"path": "/a", **first}, {"path": "/a", **second})
    for value in (writer.value() for _ in range(30 if wider is not None else 0)):
        before, after = (rank[inner(test, value)] for test in (first, second))
        assert after >= before if wider else after <= before, f"{first} and {second} on {value}"


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        ({"at_most": 5}, {"at_most": 10}, True), ({"at_most": 5}, {"below": 5}, False), ({"at_most": 5}, {"below": 6}, True),
        ({"above": 1}, {"at_least": 1}, True), ({"above": 1}, {"at_most": 1}, None), ({"equals": 3}, {"at_least": 2}, True),
        ({"in": ["a", "b"]}, {"in": ["a"]}, False), ({"in": ["a"]}, {"in": ["a", 5]}, None), ({"equals": True}, {"equals": 1}, None),
        ({"equals": "a"}, {"in": ["b", "a"]}, True), ({"prefix": "ab"}, {"prefix": "a"}, True), ({"glob": "a*"}, {"glob": "*"}, None),
        ({"host": ["a.example.com"]}, {"host": ["*.example.com"]}, True), ({"host": ["example.com"]}, {"host": ["*.example.com"]}, None),
        ({"domain": ["*.b.example.com"]}, {"domain": ["*.example.com"]}, True), ({"domain": ["a.example"]}, {"host": ["a.example"]}, None),
        ({"within": ["/a/b"]}, {"within": ["/a"]}, True), ({"within": ["/ab"]}, {"within": ["/a"]}, None), ({"within": ["a"]}, {"within": ["/a"]}, None),
        ({"within": ["/a"]}, {"within": ["/"]}, True), ({"within": ["a"]}, {"within": ["."]}, True), ({"within": ["../a"]}, {"within": ["."]}, None),
        ({"sql": {"dialect": "mysql", "only": ["select"]}}, {"sql": {"dialect": "mysql", "only": ["call", "select"]}}, True),
        ({"sql": {"dialect": "mysql", "only": ["select"]}}, {"sql": {"dialect": "sqlite", "only": ["call", "select"]}}, None),
        ({"length": {"at_most": 5}}, {"length": {"equals": 5}}, False), ({"length": {"at_most": 5}}, {"at_most": 5}, None),
        ({"not": {"at_most": 5}}, {"not": {"at_most": 10}}, False), ({"none_of": [{"equals": 1}]}, {"none_of": [{"equals": 1}, {"equals": 2}]}, False),
        ({"not": {"equals": 1}}, {"none_of": [{"equals": 1}, {"above": 5}]}, False), ({"any_element": {"at_most": 5}}, {"any_element": {"at_most": 6}}, True),
        ({"any_element": {"at_most": 5}}, {"every_element": {"at_most": 5}}, None), ({"absent": True}, {"not": {"absent": True}}, None), ({"max": 5}, {"at_most": 5}, None),
    ],
)  # fmt: skip
def test_which_of_two_conditions_is_wider(old: Any, new: Any, *, wider: bool | None) -> None:
    assert is_wider({"path": "/a", **old}, {"path": "/a", **new}) is wider
    turned = is_wider({"path": "/a", **new}, {"path": "/a", **old})
    assert turned is (None if wider is None else not wider)


def as_rule(effect: str, test: dict[str, Any]) -> dict[str, Any]:
    """Return a rule on the argument `a`."""
    return {"rule": "r", "effect": effect, "reason": "r", "owner": OWNER, "arguments": [{"path": "/a", **test}]}


def excepting(effect: str, test: dict[str, Any]) -> dict[str, Any]:
    """Return a rule with the test as its exception."""
    rule = as_rule(effect, test)
    conditions = rule.pop("arguments")
    return {**rule, "unless": {"arguments": conditions}}


ALLOWED: Final = {"rule": "all", "effect": "allow", "reason": "r", "owner": OWNER}


@settings(max_examples=3, phases=PHASES, suppress_health_check=QUIET)
@given(seed=SEEDS)
def test_rules_read_a_condition_and_its_opposite_alike(judge: Judge, seed: int) -> None:
    writer = written(seed)
    test = writer.test(1, of_element=True)
    values = [writer.fitting(*next(iter(test.items()))) for _ in range(3)] + [writer.value() for _ in range(3)]
    opposite = {"not": test}
    outcomes = {
        name: asked(judge, rules, values)
        for name, rules in {
            "deny": [ALLOWED, as_rule("deny", test)],
            "deny not": [ALLOWED, as_rule("deny", opposite)],
            "allow": [as_rule("allow", test)],
            "allow not": [as_rule("allow", opposite)],
            "deny unless": [ALLOWED, excepting("deny", test)],
            "allow unless": [excepting("allow", test)],
            "turned": [as_rule("deny", test), ALLOWED],
        }.items()
    }
    for number, value in enumerate(values):
        verdict, said = inner(test, value), f"{json.dumps(test)} on {json.dumps(value)}"
        passes = {name: found[number] == "allow" for name, found in outcomes.items()}
        assert passes["deny"] == passes["turned"] == (verdict is False), said
        assert passes["allow"] == passes["deny unless"] == (verdict is True), said
        assert passes["deny not"] == passes["allow"], said
        assert passes["allow not"] == passes["allow unless"] == passes["deny"], said


def asked(judge: Judge, rules: list[dict[str, Any]], values: list[Any]) -> list[str]:
    """Return the outcome of a call with each value under these rules."""
    catalog = {"server": "a", "url": "http://a.example/mcp", "owner": OWNER, "tools": {"t": {"action": "read"}}}
    agent = {"agent": "bot", "owner": OWNER, "purpose": "tests", "kind": "test", "anonymous": True}
    files = {
        "environment.yaml": {"name": "world"},
        "catalog/a.yaml": catalog,
        "agents/bot.yaml": agent,
        "rules/r.yaml": {"rules": rules},
    }
    data = judge.data(files)
    who = acting(StatedQuestion(agent="bot", server="a", target=Target(), method="tools/call", at=NOW), {"bot": agent})
    questions = [
        to_builtins(
            question(
                StatedQuestion(
                    agent="bot",
                    server="a",
                    target=Target(type="tool", name="t"),
                    method="tools/call",
                    at=NOW,
                    arguments={"a": value},
                ),
                who,
                data,
            )
        )
        for value in values
    ]
    return [answer["decisions"][0]["outcome"] for answer in judge.decided(data, questions)]
