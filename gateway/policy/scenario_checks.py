"""Run the scenarios of an environment, so that policy in YAML can be tested in YAML.

Rule 1: a real OPA decides the scenarios from the bundle that would be published. The gateway's enforcement applies.
Rule 2: a scenario with another outcome than wanted is a problem at its own line, with the reasons of the outcome.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from gateway.artifact.json_narrowing import Json
from gateway.policy.build import BuildStamp, Content, issued
from gateway.policy.packed_bundle_answers import NoDecision, Ruled, ScenarioOpa
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_question import (
    ActingCaller,
    StatedQuestion,
    acting,
    asked,
    contradiction,
    pin_of,
    question,
)
from gateway.policy.sources.document import Document
from gateway.policy.sources.problem import Problem


class Scenario(Struct, frozen=True):
    """One scenario, its position, its question and its caller."""

    document: Document
    pointer: str
    entry: Json
    asked: StatedQuestion
    acting: ActingCaller
    contradiction: str = ""


Placed = Iterable[tuple[Document, str, Json]]
"""Scenarios, each with its document and its JSON pointer."""


def scenarios(placed: Placed, agents: Mapping[str, Json], now: float) -> list[Scenario]:
    """Return the scenarios with these agents as callers; scenarios without a time use `now` (Unix seconds)."""
    found: list[Scenario] = []
    for document, pointer, entry in placed:
        stated = asked(entry, now=now)
        found.append(Scenario(document, pointer, entry, stated, acting(stated, agents), contradiction(stated, agents)))
    return found


def failed(content: Content, opa: OpaCommand, now: float) -> list[Problem]:
    """Return the scenarios of an environment with another outcome than wanted."""
    stated = scenarios(content.environment.scenarios_placed(), content.environment.agents_by_id(), now)
    return unmet(stated, asking(content, opa, [each.acting for each in stated]), content.data)


def unmet(told: Sequence[Scenario], asking: ScenarioOpa, data: Json) -> list[Problem]:
    """Return the scenarios with another outcome than wanted; `data` is the data of the evaluated bundle."""
    rulings = asking.rulings([question(each.asked, each.acting, data) for each in told])
    judged = zip(told, rulings, strict=True)
    return [problem for scenario, ruled in judged if (problem := _judged(scenario, ruled, data))]


def asking(content: Content, opa: OpaCommand, actings: Iterable[ActingCaller]) -> ScenarioOpa:
    """Return the bundle of a content, ready for questions by these principals."""
    packed = issued(content, BuildStamp(seq=0, built=content.time))
    return ScenarioOpa(opa, packed.content, credentials(content.data, actings))


def credentials(data: Json, actings: Iterable[ActingCaller]) -> Json:
    """Return the bundle's index of credentials, with those that were made for the questions."""
    known: Json = dict(data["index"]["credentials"])
    for each in actings:
        known |= each.credentials
    return known


def _judged(scenario: Scenario, ruled: Ruled, data: Json) -> Problem | None:
    entry = scenario.entry
    said = f"the scenario `{entry['scenario']}`"
    if scenario.contradiction:
        remedy = "Remove one of them, or give the agent an identity."
        field = "unknown" if scenario.asked.unknown else "principal"
        return scenario.document.problem(f"{scenario.pointer}/{field}", f"{said} {scenario.contradiction}.", remedy)
    if scenario.asked.drifted and pin_of(scenario.asked, data) is None:
        remedy = "Pin the target, or remove `definition`."
        return scenario.document.problem(
            f"{scenario.pointer}/definition", f"{said} states a drift, but its target is not pinned.", remedy
        )
    if isinstance(ruled.answer, NoDecision):
        what = f"{said} has no answer, so the gateway refuses it ({ruled.enforced.code}): {ruled.answer.why}."
        return scenario.document.problem(scenario.pointer, what, "Correct the policy.")
    if ruled.enforced.outcome != entry["want"]:
        what = f"{said} ends in {ruled.enforced.outcome}, not {entry['want']}{_because(ruled)}."
        return scenario.document.problem(f"{scenario.pointer}/want", what, "Correct the rule or the scenario.")
    named = [reason.requirement for reason in ruled.enforced.reasons] + ruled.rules
    if entry.get("because", "") not in ["", *named]:
        what = f"{said} is not because of `{entry['because']}`, but of {', '.join(dict.fromkeys(named)) or 'nothing'}."
        return scenario.document.problem(f"{scenario.pointer}/because", what, "Correct the rule or the scenario.")
    return None


def _because(ruled: Ruled) -> str:
    reasons = [f"{reason.requirement}: {reason.message}" for reason in ruled.enforced.reasons]
    return f" ({'; '.join([*reasons, *ruled.rules])})" if reasons or ruled.rules else ""
