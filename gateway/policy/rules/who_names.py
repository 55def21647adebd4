"""Find names in `who` of rules that are not those of an agent, group, claim or issuer of the environment."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.catalog_names import bearers
from gateway.policy.rules.unknown_names import AHEAD, SAID, UnknownName, listed
from gateway.policy.rules.unlikely_claims import ClaimNames, issuer_of
from gateway.policy.sources.document import step
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.name_suggestions import Suggestions, nearest

_OF_AGENTS: Final = f"Correct the name or add the agent that has it. {AHEAD}"
_OF_GROUPS: Final = "Correct the name, or add it to `groups` in environment.yaml."


class WhoNames:
    """A lookup of the names in `who`, one rule at a time."""

    def __init__(self, environment: Environment) -> None:
        self._agents = bearers(environment)
        self._claims = ClaimNames(environment)
        self._suggestions = Suggestions()

    def unknown(self, who: Json) -> Iterator[UnknownName]:
        """Yield the names in `who` that do not exist in the environment."""
        found: list[UnknownName] = []
        for field, words in who.items():
            known = self._agents.words.get(field)
            for number, word in enumerate(() if known is None else words):
                if known is not None and word not in known and (unknown := self._unknown_agent(field, word, known)):
                    found.append(UnknownName(f"/who/{field}/{number}", *unknown))
        yield from found
        yield from self._people(who)
        if "agents" in who and not found and not any(_fits_agent(who, agent) for agent in self._agents.entries):
            fields = listed(who, ("agents", "kinds", "labels", "owners"))
            yield UnknownName("/who", f"no agent matches all of {fields}", _OF_AGENTS)

    def _unknown_agent(self, field: str, word: str, known: AbstractSet[str]) -> tuple[str, str] | None:
        said = SAID[field].format(word)
        if field != "groups":
            return said, self._suggestions.nearest(word, lambda: known) or _OF_AGENTS
        close = nearest(word, known)
        if self._agents.groups_are_known:
            return said, close or _OF_GROUPS
        return (said, f"{close} If both exist, list them in `groups` in environment.yaml.") if close else None

    def _people(self, who: Json) -> Iterator[UnknownName]:
        """Yield the claims that callers surely do not have, and the issuers that are similar to one of an identity."""
        for name in who.get("claims", ()):
            if wrong := self._claims.unknown(name):
                yield UnknownName(step("/who/claims", name), *wrong)
        for field in ("subjects", "client_ids"):
            for number, name in enumerate(who.get(field, ())):
                issuer = issuer_of(name)
                if issuer and issuer not in self._agents.issuers and (close := nearest(issuer, self._agents.issuers)):
                    yield UnknownName(f"/who/{field}/{number}", f"no identity has the issuer `{issuer}`", close)


def _fits_agent(who: Json, agent: Json) -> bool:
    return (
        agent["agent"] in who.get("agents", [agent["agent"]])
        and agent["kind"] in who.get("kinds", [agent["kind"]])
        and agent["owner"] in who.get("owners", [agent["owner"]])
        and ("labels" not in who or not {*who["labels"]}.isdisjoint(agent.get("labels", ())))
    )
