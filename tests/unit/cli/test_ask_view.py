"""`ask` shows the conditions of the rules that decided, with the values that they compare."""

from typing import Any

import click

from gateway.admission.decision import Decision, Ground, Resolved
from gateway.admission.policy_input import Target
from gateway.admission.principal import ANONYMOUS
from gateway.cli.ask_view import shown
from gateway.policy.scenario_question import ActingCaller, StatedQuestion

RULE: dict[str, Any] = {
    "effect": "deny",
    "arguments": [{"path": "/to", "any_element": {"not": {"domain": ["example.com"]}}}],
    "unless": {"who": {}, "when": None, "arguments": [{"path": "/cc", "absent": True}]},
}


def test_the_conditions_of_a_rule_are_shown_below_it() -> None:
    arguments = {"to": ["a@example.com", "b@rival.example"], "cc": []}
    stated = StatedQuestion(
        agent="bot",
        server="mail",
        target=Target(type="tool", name="send"),
        method="tools/call",
        at=0.0,
        arguments=arguments,
    )
    decision = Decision(
        schema="mcp.decision/v1",
        outcome="deny",
        reasons=[],
        grounds=[Ground(rule="inside", effect="deny"), Ground(rule="default", effect="allow")],
        resolved=Resolved(action="send"),
    )
    lines = click.unstyle(shown(decision, stated, ActingCaller(ANONYMOUS, "so"), {"inside": RULE})).splitlines()
    at = lines.index("  rule inside (deny)")
    assert lines[at + 1 : at + 3] == [
        '    /to: any element: domain not in example.com; it was ["a@example.com","b@rival.example"]',
        "    unless /cc: absent; it was []",
    ]
