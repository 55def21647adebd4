"""Runs the scenarios of an environment: who only writes YAML can test it.

Rule 1: a real OPA decides them, from the bundle that would be published, and the gateway's enforcement has its say.
Rule 2: a scenario that ends otherwise is a problem at its own line, with the reasons that were given.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from gateway.artifact.json_types import Json
from gateway.policy.build import BuildStamp, Content, issued
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
from gateway.policy.scenario_run import NoDecision, Ruled, ScenarioOpa
from gateway.policy.sources.document import Document
from gateway.policy.sources.problem import Problem


class Scenario(Struct, frozen=True):
    """One scenario, where it stands, what it asks and as whom."""

    document: Document
    pointer: str
    entry: Json
    asked: StatedQuestion
    acting: ActingCaller
    contradiction: str = ""


Placed = Iterable[tuple[Document, str, Json]]
"""Scenarios, each with its document and the pointer to it."""


def scenarios(placed: Placed, agents: Mapping[str, Json], now: float) -> list[Scenario]:
    """The scenarios, asked as these agents; those without a time are of `now` (Unix seconds)."""
    found: list[Scenario] = []
    for document, pointer, entry in placed:
        stated = asked(entry, now=now)
        found.append(Scenario(document, pointer, entry, stated, acting(stated, agents), contradiction(stated, agents)))
    return found


def failed(content: Content, opa: OpaCommand, now: float) -> list[Problem]:
    """The scenarios of an environment that do not end as wanted."""
    told = scenarios(content.environment.scenarios_placed(), content.environment.agents_by_id(), now)
    return unmet(told, asking(content, opa, [each.acting for each in told]), content.data)


def unmet(told: Sequence[Scenario], asking: ScenarioOpa, data: Json) -> list[Problem]:
    """The scenarios that do not end as wanted, by the bundle that is asked; `data` is what it carries."""
    rulings = asking.rulings([question(each.asked, each.acting, data) for each in told])
    judged = zip(told, rulings, strict=True)
    return [problem for scenario, ruled in judged if (problem := _judged(scenario, ruled, data))]


def asking(content: Content, opa: OpaCommand, actings: Iterable[ActingCaller]) -> ScenarioOpa:
    """The bundle of a content, ready for questions by these principals."""
    packed = issued(content, BuildStamp(seq=0, built=content.time))
    return ScenarioOpa(opa, packed.content, credentials(content.data, actings))


def credentials(data: Json, actings: Iterable[ActingCaller]) -> Json:
    """The bundle's index of credentials, with those that were made up for questions."""
    known: Json = dict(data["index"]["credentials"])
    for each in actings:
        known |= each.credentials
    return known


def _judged(scenario: Scenario, ruled: Ruled, data: Json) -> Problem | None:
    entry = scenario.entry
    said = f"the scenario `{entry['scenario']}`"
    if scenario.contradiction:
        remedy = "Leave one of them out, or give the agent an identity."
        field = "unknown" if scenario.asked.unknown else "principal"
        return scenario.document.problem(f"{scenario.pointer}/{field}", f"{said} {scenario.contradiction}.", remedy)
    if scenario.asked.drifted and pin_of(scenario.asked, data) is None:
        remedy = "Pin the target, or leave `definition` out."
        return scenario.document.problem(f"{scenario.pointer}/definition", f"{said} drifts from no pin.", remedy)
    if isinstance(ruled.answer, NoDecision):
        what = f"{said} has no answer, and the gateway refuses it ({ruled.enforced.code}): {ruled.answer.why}."
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
