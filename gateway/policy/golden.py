"""Golden decisions: scenarios that an artifact itself decides, whatever its sources say.

Rule 1: the file has the form of an environment's scenarios; who asks is found in the bundle's own registrations.
"""

from pathlib import Path

from gateway.artifact.artifact import Artifact
from gateway.artifact.json_types import Json
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rules.identity_index import indexed_identities
from gateway.policy.scenario_run import ScenarioOpa
from gateway.policy.scenarios import credentials, scenarios, unmet
from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.schema_checks import violations


def read_golden(place: Path) -> Document | list[Problem]:
    """The scenarios of a file, or everything that is wrong with them."""
    try:
        document = read_document(str(place), place.read_bytes())
    except OSError as error:
        return [Problem(str(place), 0, f"cannot be read: {error.strerror}.", "Name a file of scenarios.")]
    if isinstance(document, list):
        return document
    return violations(document, "scenarios") or document


def undecided(artifact: Artifact, data: Json, document: Document, *, opa: OpaCommand, now: float) -> list[Problem]:
    """The scenarios that the artifact does not decide as wanted; those without a time are of `now` (Unix seconds)."""
    placed = [(document, f"/scenarios/{number}", entry) for number, entry in enumerate(document.value["scenarios"])]
    told = scenarios(placed, registered(data), now)
    known = credentials(data, [each.acting for each in told])
    return unmet(told, ScenarioOpa(opa, artifact.content, known), data)


def registered(data: Json) -> dict[str, Json]:
    """Agent id -> its entry with the tokens and identities that lead to it, as its document said it."""
    agents: dict[str, Json] = {
        name: {**entry, "tokens": [], "identities": []} for name, entry in data["agents"].items()
    }
    index = data["index"]
    for digest, known in index["credentials"].items():
        end = {} if known["expires"] is None else {"expires": known["expires"]}
        agents[known["agent"]]["tokens"].append({"sha256": digest, "holder": known["holder"], **end})
    for agent, identity in indexed_identities(index["identities"]):
        agents[agent]["identities"].append(identity)
    return agents
