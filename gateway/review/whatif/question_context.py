"""The question of a what-if search in terms of the bundle: its agent, server, target and nearby rules.

Rule 1: the distance of a rule from the question is an estimate that only orders proposals.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from gateway.admission.decision import Decision
from gateway.admission.record import Outcome
from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.name_globs import NameGlobs
from gateway.policy.rules.rule_conditions import conditions_of
from gateway.policy.rules.who_matching import comes_from, have
from gateway.review.whatif.patched_world import World

_TARGETS: Final[Mapping[str, str]] = {"tool": "tools", "prompt": "prompts", "resource": "resources"}
NEAREST: Final = 30
"""The number of rules to examine, the nearest first."""


class WhatIfCase(Struct, frozen=True, kw_only=True):
    """A world, its decision, and the outcome that the gateway enforces."""

    world: World
    decision: Decision
    outcome: Outcome

    @property
    def refused(self) -> bool:
        """True if the message was refused or held."""
        return self.outcome != "allow"

    @property
    def unmet(self) -> set[str]:
        """The requirements named as reasons."""
        return {reason.requirement for reason in self.decision.reasons}

    @property
    def agent(self) -> Json:
        """The agent's registration, empty if no agent is registered."""
        return self.world.data["agents"].get(self.agent_id, {})

    @property
    def agent_id(self) -> str:
        """The resolved agent, empty if there is none."""
        resolved = self.decision.resolved.agent
        return resolved.id if resolved else ""

    @property
    def server(self) -> str:
        """The server id of the question."""
        return str(self.world.question["server"]["id"])

    @property
    def target(self) -> str:
        """The name or URI of the message's target, empty if it has none."""
        target = self.world.question["target"]
        return str(target.get("name") or target.get("uri") or "") if target.get("type") in _TARGETS else ""

    @property
    def field(self) -> str:
        """The field of a rule, and of the catalog, that names targets of this type."""
        return _TARGETS.get(self.world.question["target"].get("type", ""), "")

    @property
    def entry(self) -> Json | None:
        """The catalog's entry of the target, if it is listed by its own name."""
        return self.world.data["catalog"]["targets"].get(self.server, {}).get(self.field, {}).get(self.target)

    def rules(self, effect: str) -> list[tuple[str, Json, list[tuple[str, str]]]]:
        """Return the rules of this effect that are nearest to the question, each with the fields that do not match."""
        ruled = self.world.data["rules"]
        found = [(name, rule, self.misfits(rule)) for name, rule in ruled.items() if rule["effect"] == effect]
        found.sort(key=lambda each: (len(each[2]), each[0]))
        return found[:NEAREST]

    def misfits(self, rule: Json) -> list[tuple[str, str]]:
        """Return the fields of a rule that do not match the question, as pairs of `who` or `what` and the field."""
        who = [("who", field) for field, names in rule["who"].items() if not self._is_asked_by(field, names)]
        return [*who, *(("what", field) for field in rule["what"] if not self._fits(rule, field))]

    def _is_asked_by(self, field: str, stated: Any) -> bool:
        match field:
            case "claims":
                return have(self.world.question["principal"].get("claims", {}), stated)
            case "source":
                return comes_from(str(self.world.question["context"].get("source_ip", "")), stated)
            case _:
                return not {*stated}.isdisjoint(self.names(field))

    def names(self, field: str) -> list[str]:
        """Return the caller's names in a field of `who`."""
        agent: dict[str, Any] = self.agent
        match field:
            case "agents":
                return [self.agent_id] if self.agent_id else []
            case "kinds":
                return [agent["kind"]] if agent else []
            case "labels":
                return list(agent.get("labels", ()))
            case "owners":
                return [agent["owner"]] if agent else []
            case "subjects":
                return self._named("subject")
            case "client_ids":
                return self._named("client_id")
            case "claims" | "source":
                return []
            case _:
                return [str(group) for group in self.world.question["principal"].get("groups", ())]

    def _named(self, field: str) -> list[str]:
        principal = self.world.question["principal"]
        name, issuer = principal.get(field), principal.get("issuer")
        if not isinstance(name, str) or principal.get("method") != "jwt":
            return []
        return [f"{issuer}#{name}", *([] if "#" in name else [name])]

    def words(self, field: str) -> list[str]:
        """Return the names of the server or target in a field of `what`."""
        server = self.world.data["catalog"]["servers"].get(self.server, {})
        match field:
            case "servers":
                return [self.server]
            case "server_tags":
                return list(server.get("tags", ()))
            case "server_environments":
                return [server["environment"]] if server.get("environment") else []
            case "actions":
                return [self.decision.resolved.action]
            case "tool_tags":
                return list((self.entry or {}).get("tags", ()))
            case "data":
                return list(self.decision.resolved.data or ())
            case "reach":
                return [self.decision.resolved.reach] if self.decision.resolved.reach else []
            case _:
                return [self.target] if field == self.field and self.target else []

    def _fits(self, rule: Json, field: str) -> bool:
        named: str | Sequence[str] = rule["what"][field]
        globs = [named] if isinstance(named, str) else named
        return bool(NameGlobs(self.words(field)).matching_any(globs))

    def conditions(self) -> Iterator[tuple[str, Json]]:
        """Yield the argument conditions of nearby rules, with the name of the rule."""
        for effect in ("deny", "hold", "allow"):
            for name, rule, misfits in self.rules(effect):
                if len(misfits) <= 1:
                    yield from ((name, condition) for _, condition in conditions_of(rule))
