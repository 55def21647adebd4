"""Golden decisions: scenarios that are decided by an artifact itself, not by its sources.

Rule 1: the file has the form of an environment's scenarios. The callers are the agents that the bundle registers.
"""

from pathlib import Path

from gateway.artifact.artifact import Artifact
from gateway.artifact.json_narrowing import Json
from gateway.policy.packed_bundle_answers import ScenarioOpa
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rules.identity_index import indexed_identities
from gateway.policy.scenario_checks import credentials, scenarios, unmet
from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.schema_checks import violations


def read_golden(place: Path) -> Document | list[Problem]:
    """Return the scenarios of a file, or all of its problems."""
    try:
        document = read_document(str(place), place.read_bytes())
    except OSError as error:
        return [Problem(str(place), 0, f"cannot be read: {error.strerror}.", "Name a readable file of scenarios.")]
    if isinstance(document, list):
        return document
    return violations(document, "scenarios") or document


def undecided(artifact: Artifact, data: Json, document: Document, *, opa: OpaCommand, now: float) -> list[Problem]:
    """Return the scenarios with another outcome than wanted; scenarios without a time use `now` (Unix seconds)."""
    placed = [(document, f"/scenarios/{number}", entry) for number, entry in enumerate(document.value["scenarios"])]
    stated = scenarios(placed, registered(data), now)
    known = credentials(data, [each.acting for each in stated])
    return unmet(stated, ScenarioOpa(opa, artifact.content, known), data)


def registered(data: Json) -> dict[str, Json]:
    """Return agent id -> its entry with its tokens and identities, as in its source document."""
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
