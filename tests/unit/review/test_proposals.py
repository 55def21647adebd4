"""Proposed changes: arguments that rules compare, and moments at which their hours begin and end."""

from typing import Any

import msgspec
import pytest

from gateway.admission.decision import Decision, Ground, Reason, Resolved, ResolvedAgent
from gateway.admission.question import moment
from gateway.review.whatif.arguments import argument_changes, time_changes
from gateway.review.whatif.patched_world import World
from gateway.review.whatif.policy import loosening, tightening
from gateway.review.whatif.question_context import WhatIfCase

FRIDAY = 1_795_183_200  # 2026-11-20T14:00:00Z
RULE: dict[str, Any] = {
    "effect": "allow",
    "who": {},
    "what": {"servers": ["mail"]},
    "when": None,
    "arguments": [],
    "mode": None,
    "expires": None,
}


def a_scene(rules: dict[str, Any], arguments: dict[str, Any] | None = None, **decided: Any) -> WhatIfCase:
    question: dict[str, Any] = {
        "server": {"id": "mail"},
        "target": {"type": "tool", "name": "send", "uri": None},
        "principal": {"groups": []},
        "arguments": arguments or {},
        "arguments_meta": {"schema": "match"},
        "context": {"time": msgspec.to_builtins(moment(FRIDAY * 1_000_000_000))},
    }
    data: dict[str, Any] = {
        "rules": {name: RULE | rule for name, rule in rules.items()},
        "agents": {"bot": {"kind": "own", "owner": "a@b.c", "labels": [], "expires": None, "scope": SCOPE}},
        "catalog": {"servers": {"mail": {"tags": ["x"], "environment": "prod"}}, "targets": {"mail": {"tools": TOOLS}}},
        "environment": {"time_zone": "UTC"},
        "enforcement": {},
        "index": {},
    }
    reason = Reason(requirement="rules_permit", message="")
    fields: dict[str, Any] = {"outcome": "deny", "reasons": [reason], "grounds": []}
    resolved = Resolved(agent=ResolvedAgent(id="bot"), action="send")
    decision = Decision(schema="mcp.decision/v1", resolved=resolved, **(fields | decided))
    return WhatIfCase(world=World(question, data), decision=decision, outcome=decision.outcome)


SCOPE: dict[str, Any] = {"servers": ["*"], "actions": ["read"]}
TOOLS: dict[str, Any] = {"send": {"action": "send", "tags": [], "pin": None}}


def values(condition: dict[str, Any], **arguments: Any) -> list[Any]:
    scene = a_scene({"r": {"arguments": [{"path": "/to", **condition}]}}, arguments)
    return [change.apply(scene.world).question["arguments"]["to"] for change in argument_changes(scene)]


@pytest.mark.parametrize(
    ("condition", "proposed"),
    [
        ({"equals": "a"}, ["a", "another-value"]),
        ({"equals": True}, [True, False]),
        ({"equals": 3}, [3, 4]),
        ({"in": [1, 2, 3, 4]}, [1, 2, 3]),
        ({"prefix": "notes/"}, ["notes/x.md", "another-value"]),
        ({"glob": "*@example.com"}, ["x@example.com", "another-value"]),
        ({"max": 10}, [10, 11]),
        ({"at_most": 10}, [10, 11]),
        ({"at_least": 10}, [10, 9]),
        ({"above": 10}, [11, 10]),
        ({"below": 10}, [9, 10]),
        ({"not": {"equals": "a"}}, ["another-value", "a"]),
        ({"none_of": [{"equals": "a"}, {"prefix": "b"}]}, ["another-value", "a", "b"]),
        ({"any_element": {"not": {"in": ["a", "b"]}}}, [["another-value"], ["a"], ["b"]]),
        ({"length": {"at_most": 3}}, []),
        ({"absent": True}, []),
        ({"within": ["notes", "/"]}, ["notes/x.md", "/x.md"]),
        ({"host": ["*.example.com"]}, ["https://x.example.com"]),
        ({"any_element": {"domain": ["example.com"]}}, [["somebody@example.com"]]),
        ({"matches": "^a+$"}, ["another-value"]),
    ],
)
def test_arguments_are_proposed_that_meet_and_miss_a_condition(condition: dict[str, Any], proposed: list[Any]) -> None:
    assert values(condition, to="src/x.md") == proposed


def test_an_existing_value_is_not_proposed() -> None:
    assert values({"equals": "a"}, to="a") == ["another-value"]


def test_an_argument_that_is_not_there_is_added_with_its_measures() -> None:
    scene = a_scene({"r": {"arguments": [{"path": "/deep/to", "equals": "a"}]}})
    after = next(argument_changes(scene)).apply(scene.world).question
    assert after["arguments"] == {"deep": {"to": "a"}}
    assert (after["arguments_meta"]["depth"], after["arguments_meta"]["schema"]) == (2, "match")
    assert after["arguments_meta"]["digest"]


def test_a_value_that_is_not_an_object_is_not_replaced() -> None:
    scene = a_scene({"r": {"arguments": [{"path": "/to/0", "equals": "a"}]}}, {"to": ["x"]})
    assert list(argument_changes(scene)) == []


def moments(**when: Any) -> list[str]:
    scene = a_scene({"r": {"when": when}})
    return [change.apply(scene.world).question["context"]["time"]["rfc3339"] for change in time_changes(scene)]


def test_moments_are_the_next_begin_and_end_of_a_rules_hours_in_its_zone() -> None:
    assert moments(hours="18:00-08:00", time_zone="Europe/Zurich") == ["2026-11-20T17:00:00Z", "2026-11-21T07:00:00Z"]
    assert moments(hours="09:00-17:00") == ["2026-11-21T09:00:00Z", "2026-11-20T17:00:00Z"]


def test_moments_are_on_a_day_that_the_rule_names_and_on_one_that_it_does_not() -> None:
    found = moments(days=["monday"])
    assert "2026-11-23T00:00:00Z" in found
    assert "2026-11-21T00:00:00Z" in found


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../etc/passwd"])
def test_an_unknown_time_zone_proposes_nothing(zone: str) -> None:
    assert moments(hours="18:00-08:00", time_zone=zone) == []


def texts(scene: WhatIfCase) -> set[str]:
    return {change.text for change in (loosening(scene) if scene.refused else tightening(scene))}


def test_a_refusal_is_loosened_by_removing_rules_and_adding_permissions() -> None:
    rules: dict[str, Any] = {
        "no": {"effect": "deny"},
        "yes": {"who": {"agents": ["other"]}, "what": {"servers": ["mail"], "actions": ["read"]}, "mode": "warn"},
    }
    scene = a_scene(rules, grounds=[Ground(rule="no", effect="deny")])
    assert texts(scene) == {
        "remove rule no",
        "add bot to who.agents of rule yes",
        "add send to what.actions of rule yes",
        "enforce rule yes (remove its mode)",
        "add send to scope.actions of agent bot",
        "set rules_permit to warn (enforcement)",
    }


def test_an_allow_is_tightened() -> None:
    rules: dict[str, Any] = {"yes": {}, "later": {"effect": "deny", "mode": "shadow"}}
    scene = a_scene(rules, outcome="allow", reasons=[], grounds=[Ground(rule="yes", effect="allow")])
    assert texts(scene) == {
        "remove rule yes",
        "remove send of mail from the catalog",
        "enforce rule later (remove its mode)",
    }


def test_no_mode_is_proposed_for_requirements_that_always_bind() -> None:
    scene = a_scene({}, reasons=[Reason(requirement="principal_is_verified", message="")])
    assert not any("to warn (enforcement)" in text for text in texts(scene))
