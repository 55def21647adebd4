"""Checks across the documents of an environment: unknown names, duplicate ids, times out of bounds.

Rule 1: an unknown name is a mistake, not an empty set. `rule_names` checks the names in rules.
Rule 2: if two documents claim the same thing, neither wins: the build is refused.
"""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath
from typing import Final
from zoneinfo import available_timezones

from msgspec import Struct

from gateway.admission.uri_patterns import normal_key, unusable_key
from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.condition_conflicts import condition_conflicts
from gateway.policy.rules.condition_values import condition_values
from gateway.policy.rules.data_classes import data_class_problems
from gateway.policy.rules.directory_scopes import beyond_scopes
from gateway.policy.rules.identity_index import FIELDS
from gateway.policy.rules.name_globs import NameGlobs
from gateway.policy.rules.reviewed_words import reviewed_words
from gateway.policy.rules.rule_conditions import EXCEPTION
from gateway.policy.rules.who_matching import networks
from gateway.policy.sources.document import Document, step
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.name_suggestions import nearest
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.timestamps import unix_seconds

ALWAYS_DENY: Final = frozenset(
    {
        "policy_data_is_loaded",
        "message_is_known",
        "principal_is_verified",
        "agent_is_registered",
        "server_is_listed",
        "nothing_is_stopped",
    }
)
"""The requirements that always deny; the Rego (`mcp.lib.enforcement`) and bundles/README.md have the same list."""
LONGEST_OBSERVATION_S: Final = 30 * 86400
_OF_SCOPE: Final = "Correct the name, or add the server to the catalog."

Placed = tuple[Document, str, str]
"""A document, a JSON pointer into it, and the name there."""


class CheckContext(Struct, frozen=True):
    """The context of the checks: the known requirements (None if they are refused) and the time (Unix seconds)."""

    requirements: AbstractSet[str] | None
    now: float


def contradictions(environment: Environment, known: CheckContext) -> list[Problem]:
    """Return all contradictions between the documents of an environment."""
    found = [problem for check in _CHECKS for problem in check(environment)]
    if known.requirements is not None:
        found += _unknown_requirements(environment, known.requirements)
    found += _long_observation(environment, known.now)
    return found


def _settings(environment: Environment) -> Iterator[Problem]:
    document = environment.settings
    if document.value["name"] != environment.name:
        said = f"`name` is `{document.value['name']}`, but the directory is `{environment.name}`."
        yield document.problem("/name", said, f"Write `name: {environment.name}`.")


def _twice(environment: Environment) -> Iterator[Problem]:
    for what, places in (
        ("server", [(d, "/server", d.value["server"]) for d in environment.catalog]),
        ("agent", [(d, f"{p}/agent", e["agent"]) for d, p, e in environment.agents_placed()]),
        ("rule", [(d, f"{p}/rule", e["rule"]) for d, p, e in environment.rules_placed()]),
        ("scenario", [(d, f"{p}/scenario", e["scenario"]) for d, p, e in environment.scenarios_placed()]),
        ("enforcement of", _enforced(environment)),
        ("data", [(d, "", PurePosixPath(d.file).stem) for d in environment.own]),
        ("token digest", _tokens(environment)),
        ("identity", _identities(environment)),
        ("anonymous agent", _anonymous(environment)),
        (
            "resource",
            [(d, step("/resources", u), f"{normal_key(u)} of {d.value['server']}") for d, u in _uris(environment)],
        ),
        ("data", [(d, "", PurePosixPath(d.file).stem) for d in environment.own]),
    ):
        yield from _repeated(what, places)


def _repeated(what: str, places: Iterable[Placed]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for document, pointer, name in places:
        here = f"{document.file}:{document.line(pointer)}"
        if name in first:
            shown = "" if what == "anonymous agent" else f" `{name}`"
            yield document.problem(
                pointer, f"the {what}{shown} is already defined in {first[name]}.", "Keep one of them."
            )
        first.setdefault(name, here)


def _enforced(environment: Environment) -> Iterator[Placed]:
    for document in environment.enforcement:
        for name in document.value["enforcement"]:
            yield document, step("/enforcement", name), name


def _tokens(environment: Environment) -> Iterator[Placed]:
    for document, pointer, entry in environment.agents_placed():
        for number, token in enumerate(entry.get("tokens", [])):
            yield document, f"{pointer}/tokens/{number}/sha256", token["sha256"]


def _identities(environment: Environment) -> Iterator[Placed]:
    for document, pointer, entry in environment.agents_placed():
        for number, identity in enumerate(entry.get("identities", [])):
            stated = " ".join(f"{field} {identity[field]}" for field in FIELDS if field in identity)
            yield document, f"{pointer}/identities/{number}", f"{identity['issuer']} {stated}"


def _needless_identities(environment: Environment) -> Iterator[Problem]:
    """Yield identities without effect, because a wider identity already leads to the same agent."""
    for document, pointer, entry in environment.agents_placed():
        identities = entry.get("identities", [])
        for number, identity in enumerate(identities):
            for other, wider in enumerate(identities):
                if wider.items() < identity.items():
                    said = f"this identity has no effect: entry {other + 1} of `identities` already leads to the agent."
                    remedy = "Remove the wider identity to require all fields of this one, or remove this one."
                    yield document.problem(f"{pointer}/identities/{number}", said, remedy)
                    break


def _anonymous(environment: Environment) -> Iterator[Placed]:
    for document, pointer, entry in environment.agents_placed():
        if entry.get("anonymous", False):
            yield document, f"{pointer}/anonymous", "anonymous"


def _scopes(environment: Environment) -> Iterator[Problem]:
    servers = NameGlobs(document.value["server"] for document in environment.catalog)
    for document, pointer, agent in environment.agents_placed():
        for number, name in enumerate(agent.get("scope", {}).get("servers", [])):
            if name != "*" and not servers.matching(name):
                said = f"no server is called `{name}`."
                yield document.problem(
                    f"{pointer}/scope/servers/{number}", said, nearest(name, servers.all) or _OF_SCOPE
                )


def _uris(environment: Environment) -> Iterator[tuple[Document, str]]:
    return ((document, uri) for document in environment.catalog for uri in document.value.get("resources", {}))


def _resources(environment: Environment) -> Iterator[Problem]:
    for document, uri in _uris(environment):
        found = unusable_key(uri)
        if found:
            remedy = "Write it in normal form, or as a prefix that ends in `*`."
            yield document.problem(step("/resources", uri), f"the URI `{uri}` {found}.", remedy)


def _unread_output(environment: Environment) -> Iterator[Problem]:
    for document in environment.catalog:
        if document.value.get("check_output") and document.value.get("large_results"):
            said = "`check_output` reads every result, but `large_results` relays large results unread."
            yield document.problem("/check_output", said, "Keep one of them.")


def _hours_and_zones(environment: Environment) -> Iterator[Problem]:
    zones = available_timezones()
    stated = [(environment.settings, "/time_zone", environment.settings.value.get("time_zone", "UTC"))]
    for document, pointer, when in _moments(environment):
        start, _, end = when.get("hours", "-24:00").partition("-")
        if start == end:
            remedy = "Write two different times, or remove `hours` to mean the whole day."
            yield document.problem(f"{pointer}/hours", "`hours` start and end at the same time.", remedy)
        stated.append((document, f"{pointer}/time_zone", when.get("time_zone", "UTC")))
    for document, pointer, zone in stated:
        if zone not in zones:
            remedy = nearest(zone, zones) or "Write an IANA name, such as Europe/Zurich, or UTC."
            yield document.problem(pointer, f"unknown time zone `{zone}`.", remedy)


def _moments(environment: Environment) -> Iterator[tuple[Document, str, Json]]:
    """Yield the `when` of every rule and of every exception."""
    for document, pointer, rule in environment.rules_placed():
        for place, part in ((pointer, rule), (pointer + EXCEPTION, rule.get("unless", {}))):
            yield document, f"{place}/when", part.get("when", {})


def _own_names(environment: Environment) -> Iterator[Problem]:
    for document in environment.own:
        name = PurePosixPath(document.file).stem
        if not name.isidentifier() or not name.isascii() or name != name.lower():
            remedy = "Use lower-case letters, digits and `_` in its name: Rego reads it as `data.own.<name>`."
            yield Problem(document.file, 0, f"`{name}` is not a valid name for data.", remedy)


_CHECKS: Final[tuple[Callable[[Environment], Iterator[Problem]], ...]] = (
    _settings,
    _twice,
    _scopes,
    _resources,
    reviewed_words,
    _unread_output,
    _needless_identities,
    _hours_and_zones,
    _own_names,
    beyond_scopes,
    condition_values,
    data_class_problems,
    networks,
    condition_conflicts,
)


def _unknown_requirements(environment: Environment, requirements: AbstractSet[str]) -> Iterator[Problem]:
    for document, pointer, name in _enforced(environment):
        if name in ALWAYS_DENY:
            yield document.problem(pointer, f"`{name}` always denies.", "Remove the entry: it would have no effect.")
        elif name not in requirements:
            said = f"unknown requirement `{name}`."
            yield document.problem(pointer, said, nearest(name, requirements) or "Remove the entry.")
    document = environment.settings
    for number, name in enumerate(document.value.get("required", [])):
        if name not in requirements:
            remedy = nearest(name, requirements) or "Add the requirement, or remove it from `required`."
            yield document.problem(
                f"/required/{number}", f"the requirement `{name}` in `required` does not exist.", remedy
            )


def _long_observation(environment: Environment, now: float) -> Iterator[Problem]:
    document = environment.settings
    observe = document.value.get("observe")
    if observe and unix_seconds(observe["expires"]) > now + LONGEST_OBSERVATION_S:
        yield document.problem(
            "/observe/expires", "the observation lasts more than 30 days.", "Choose an earlier time."
        )
