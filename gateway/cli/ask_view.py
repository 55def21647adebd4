"""The output of `mcp-admission ask` for people.

Rule 1: the outcome comes first, then the reason, then the remedy and the people to ask.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from gateway.admission.decision import Decision, Ground, Reason, Resolved
from gateway.admission.refusal_contacts import owners
from gateway.artifact.json_narrowing import Json
from gateway.cli.replay_view import cut
from gateway.policy.scenario_question import ActingCaller, StatedQuestion
from gateway.review.explanation import conditions_compared

_COLORS = {"allow": "green", "hold": "yellow", "deny": "red"}


def shown(decision: Decision, stated: StatedQuestion, chosen: ActingCaller, rules: Json) -> str:
    """Return the decision as text, one fact per line; `rules` are those of the bundle."""
    return "\n".join(_lines(decision, stated, chosen, rules))


def _lines(decision: Decision, stated: StatedQuestion, chosen: ActingCaller, rules: Json) -> Iterator[str]:
    outcome = click.style(decision.outcome, fg=_COLORS[decision.outcome], bold=True)
    touched = stated.target.name or stated.target.uri or stated.method
    yield f"{outcome}  {stated.agent} → {stated.server} {touched} ({decision.resolved.action})"
    yield f"  asked {chosen.how}, at {datetime.fromtimestamp(stated.at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    resolved = decision.resolved
    yield f"  action from the {resolved.action_source}, pin: {resolved.pin}"
    if resolved.data or resolved.reach:
        yield f"  the target has {_holding(resolved)}"
    if decision.observe:
        yield "  the environment only observes: most refusals are recorded but not enforced"
    for title, reasons in (("because", decision.reasons), ("warning", decision.warnings), ("shadow", decision.shadow)):
        for reason in reasons:
            yield from _reason(title, reason)
    for ground in decision.grounds:
        yield _ground(ground)
        for condition in conditions_compared(rules.get(ground.rule, {}), stated.arguments):
            yield f"    {cut(condition)}"
    if decision.outcome != "allow" and (named := owners(decision)):
        yield f"  contact: {', '.join(named)}"


def _holding(resolved: Resolved) -> str:
    """Return the data classes of the target and how far its effects reach."""
    holds = f"data of class {', '.join(resolved.data)}" if resolved.data else "data of no known class"
    return f"{holds}, {resolved.reach or 'of unknown reach'}"


def _reason(title: str, reason: Reason) -> Iterator[str]:
    yield f"  {title}: {reason.requirement} ({reason.severity}): {reason.message}"
    if reason.remedy:
        yield f"    {reason.remedy}"


def _ground(ground: Ground) -> str:
    told = [f"owner {ground.owner}"] if ground.owner else []
    told += [f"until {ground.expires}"] if ground.expires else []
    because = f": {ground.because}" if ground.because else ""
    return f"  rule {ground.rule} ({', '.join([ground.effect, *told])}){because}"
