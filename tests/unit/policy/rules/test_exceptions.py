"""The exception of a rule: its form in the bundle, and mistakes in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.rules.cross_checks import CheckContext, contradictions
from gateway.policy.rules.fact_index import fact_index
from gateway.policy.rules.masked_reads import compared
from gateway.policy.rules.names_used_in_rules import RuleNames, rule_names
from gateway.policy.rules.rule_index import rule_index
from gateway.policy.sources.environment import Environment, EnvironmentReader

NOW = 1_795_000_000.0
Put = Callable[[str, str], Path]
CARRIED: dict[str, Any] = {
    "effect": "allow",
    "who": {},
    "what": {},
    "when": None,
    "arguments": [{"path": "/a", "equals": 1}],
    "unless": {"who": {}, "when": None, "arguments": [{"path": "/b", "not": {"host": ["a.example"]}}]},
    "mode": None,
    "expires": None,
}


def looked(policy: Path, put: Put, effect: str, unless: str) -> RuleNames:
    put("bundles/dev/rules/r.yaml", f"rules:\n  - {{rule: r, effect: {effect}, unless: {unless}}}\n")
    environment = EnvironmentReader().read(policy, "dev")
    assert isinstance(environment, Environment), environment
    assert contradictions(environment, CheckContext(None, NOW)) == []
    return rule_names(environment, NOW)


@pytest.mark.parametrize(("effect", "is_problem"), [("allow", True), ("deny", False), ("hold", False)])
def test_an_unknown_name_in_an_exception_is_a_problem_if_more_passes_by_it(
    policy: Path, put: Put, effect: str, *, is_problem: bool
) -> None:
    found = looked(policy, put, effect, "{who: {agents: [botx]}}")
    (told,) = found.problems if is_problem else found.warnings
    assert told.line == 2
    assert told.what == "no agent is called `botx`."
    assert len(found.problems) + len(found.warnings) == 1


def test_an_exception_with_empty_hours_is_a_problem(policy: Path, put: Put) -> None:
    put("bundles/dev/rules/r.yaml", "rules:\n  - {rule: r, effect: deny, unless: {when: {hours: '08:00-08:00'}}}\n")
    put("bundles/dev/rules/s.yaml", "rules:\n  - {rule: s, effect: deny, unless: {when: {time_zone: Mars/Olympus}}}\n")
    environment = EnvironmentReader().read(policy, "dev")
    assert isinstance(environment, Environment), environment
    assert [problem.what for problem in contradictions(environment, CheckContext(None, NOW))] == [
        "`hours` start and end at the same time.",
        "unknown time zone `Mars/Olympus`.",
    ]


def test_the_paths_of_an_exception_are_read() -> None:
    assert compared(CARRIED) == ["/a", "/b"]
    data: dict[str, Any] = {"rules": {"r": CARRIED}, "catalog": {"servers": {}}}
    index = {"rules": rule_index(data["rules"], {})}
    assert fact_index(data | {"index": index}) == {"*": [{"path": "/b", "facts": ["host"]}]}


def test_a_permission_with_an_exception_is_looked_at() -> None:
    plain: dict[str, Any] = CARRIED | {"arguments": [], "unless": None}
    excepted: dict[str, Any] = plain | {"unless": {"who": {"agents": ["x"]}, "when": None, "arguments": []}}
    index = rule_index({"plain": plain, "excepted": excepted}, {})
    for row in ("read", "none"):
        assert index["*"][row]["any"] == {"allow": ["plain"], "look": {"excepted": None}}
