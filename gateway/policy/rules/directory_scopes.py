"""Limit rules by directory: a `scope.yaml` below `rules/` lists what the rules in its directory may name.

Rule 1: the text of a rule must show that it is inside its scope. If the rule omits a field that the scope lists, it
means all values, which is beyond the scope.
Rule 2: the scopes of all directories above a rule apply. An inner scope must not list more than an outer one.
Rule 3: the names in a scope must exist, because otherwise it does not limit anything.
"""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.names_used_in_rules import lookup
from gateway.policy.sources.document import Document
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.problem import Problem


class _Field(Struct, frozen=True):
    """A list of a scope: the part of a rule with the same field, and words for messages."""

    name: str
    part: str
    noun: str
    every: str


_FIELDS: Final = (
    _Field("servers", "what", "the server", "every server"),
    _Field("server_tags", "what", "the tag of servers", "servers with any tag or none"),
    _Field("actions", "what", "the action", "every action"),
    _Field("agents", "who", "the agent", "every agent"),
    _Field("groups", "who", "the group", "callers of any group or none"),
)
_OF_NAMES: Final = "Correct the name, or add what it names to the environment first."


class Scopes:
    """The scopes of an environment, by the directory of a rule file."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._by_directory: Final = {PurePosixPath(each.file).parent: each for each in documents}
        self._known: Final[dict[str, list[Document]]] = {}

    def of(self, file: str) -> list[Document]:
        """Return the scopes of the directories above a file, the outermost first."""
        if file not in self._known:
            above = reversed(PurePosixPath(file).parents)
            self._known[file] = [self._by_directory[each] for each in above if each in self._by_directory]
        return self._known[file]

    def team_of(self, environment: str, file: str) -> Json:
        """Return `team` of the innermost scope of a file of an environment; empty if the file has no scope."""
        scopes = self.of(f"bundles/{environment}/{file}")
        return {"team": scopes[-1].value["team"]} if scopes else {}


def beyond_scopes(environment: Environment) -> Iterator[Problem]:
    """Yield the rules and inner scopes that exceed a scope, and the unknown names in scopes."""
    scopes = Scopes(environment.scopes)
    for document in environment.scopes:
        for outer in scopes.of(document.file):
            if outer is not document:
                yield from _wider(document, outer)
    for document, pointer, rule in environment.rules_placed():
        for scope in scopes.of(document.file):
            yield from _beyond(document, pointer, rule, scope)
    yield from _unknown(environment)


def _beyond(document: Document, pointer: str, rule: Json, scope: Document) -> Iterator[Problem]:
    permitted, named = scope.value, f"the rule `{rule['rule']}`"
    if rule["effect"] not in permitted.get("effects", [rule["effect"]]):
        said = f"{named} has the effect {rule['effect']}, but its scope permits only {_listed(permitted['effects'])}."
        yield document.problem(f"{pointer}/effect", said, _remedy(scope, "effects"))
    for field in _FIELDS:
        if field.name not in permitted:
            continue
        stated = rule.get(field.part, {}).get(field.name)
        if stated is None:
            said = f"{named} omits `{field.name}`, which means {field.every}; its scope permits only"
            yield document.problem(
                f"{pointer}/{field.part}", f"{said} {_listed(permitted[field.name])}.", _remedy(scope, field.name)
            )
            continue
        for number, value in enumerate(stated):
            if not _is_inside(field, value, permitted[field.name]):
                said = f"{named} names {field.noun} `{value}`; its scope permits only {_listed(permitted[field.name])}."
                place = f"{pointer}/{field.part}/{field.name}/{number}"
                yield document.problem(place, said, _remedy(scope, field.name))


def _wider(inner: Document, outer: Document) -> Iterator[Problem]:
    """Yield a problem for each entry of a scope that an outer scope does not permit."""
    for field in (*_FIELDS, _Field("effects", "", "the effect", "")):
        permitted = outer.value.get(field.name)
        for number, value in enumerate(inner.value.get(field.name, ())):
            if permitted is not None and not _is_inside(field, value, permitted):
                said = f"the scope lists {field.noun} `{value}`, which the outer scope does not permit."
                yield inner.problem(f"/{field.name}/{number}", said, _remedy(outer, field.name))


def _is_inside(field: _Field, value: str, permitted: Iterable[str]) -> bool:
    if field.name == "servers":
        return any(contains(outer, value) for outer in permitted)
    return value in permitted


def contains(outer: str, inner: str) -> bool:
    """Return whether a glob surely matches every name that another one matches.

    The inner glob is compared as a text: its `*` is matched only by `*`, its `?` only by `*` and `?`. Containment that
    this comparison cannot show (`*?` in `?*`) counts as not contained.
    """
    places = {0}
    for char in outer:
        if char == "*":
            places = set(range(min(places), len(inner) + 1)) if places else places
        else:
            places = {at + 1 for at in places if at < len(inner) and _takes(char, inner[at])}
    return len(inner) in places


def _takes(char: str, of_inner: str) -> bool:
    return of_inner != "*" if char == "?" else char == of_inner


def _remedy(scope: Document, field: str) -> str:
    place = f"{scope.file}:{scope.line(f'/{field}')}"
    return f"Stay within the scope, or ask for a change of it (team {scope.value['team']}, {place})."


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _unknown(environment: Environment) -> Iterator[Problem]:
    """Yield the names in scopes that do not exist in the environment."""
    unknown = lookup(environment)
    for document in environment.scopes:
        stated: Json = {"who": {}, "what": {}}
        for field in _FIELDS:
            if field.name in document.value:
                stated[field.part][field.name] = document.value[field.name]
        for each in unknown({part: fields for part, fields in stated.items() if fields}):
            pointer = each.pointer.removeprefix("/who").removeprefix("/what")
            close = each.remedy if each.remedy.startswith("Did you mean") else _OF_NAMES
            yield document.problem(pointer, f"{each.what}.", close)
