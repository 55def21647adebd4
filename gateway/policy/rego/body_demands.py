"""Determine what a rule body requires: the places that must exist, and those that must have a type, for it to hold.

Rule 1: a helper with several definitions requires only what all of them require.
Rule 2: a value that is counted, ordered, compared with `!=` or assigned must exist, but may have any type.
Rule 3: the gateway always sets some fields of a question. The stock library always defines some names.
"""

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_array, is_object, objects
from gateway.policy.rego.constant_comparisons import COMPARISONS, MIRRORED, MISSING, constant, holds, number
from gateway.policy.rego.rego_ast import operator
from gateway.policy.rego.term_resolution import COMPREHENSIONS, OwnRule, Rules, names_of, place, replaced, term_of, uses

CERTAIN: Final = (
    *("input.schema", "input.phase", "input.message", "input.server.id", "input.target.type"),
    *("input.principal.kind", "input.principal.method"),
    *("input.context.time", "input.context.source_ip", "input.context.gateway"),
    *(f"input.arguments_meta.{name}" for name in ("bytes", "digest", "depth", "schema", "formats", "unchecked")),
    *(f"data.mcp.lib.call.{name}" for name in ("may", "action", "action_source", "actions", "targetless")),
    *(f"data.mcp.lib.call.{name}" for name in ("pin", "drift", "judged_by_definition")),
    *("data.mcp.lib.definitions.state", "data.mcp.lib.clock.now"),
)
"""Places that every question has, and names in the stock library that are never undefined."""
UNTYPED: Final = ("input.arguments", "input.principal.claims", "input.definition.annotations", "data.own")
"""Places whose content may be of any type."""
EMPTY_IF_UNKNOWN: Final = (
    *("input.principal.groups", "input.principal.scopes", "input.principal.delegation", "input.context.headers"),
    *("data.mcp.lib.principal.groups", "data.mcp.lib.principal.agents_of_groups"),
)
"""Collections that exist and are empty if the gateway does not know their content."""
_WEAK: Final = frozenset({"assign", "count", "neq", "lt", "lte", "gt", "gte", "walk", "sprintf", "json.marshal"})
_ASKED_INSIDE: Final = ("is_", "internal.member", "equal")
"""Calls that return false instead of failing for another type: inside another call they do not require a type."""
_DEEPEST: Final = 6


def _below(path: str, places: Iterable[str]) -> bool:
    return any(path == each or path.startswith(f"{each}.") for each in places)


def is_certain(path: str) -> bool:
    """Return whether a place is never missing."""
    return _below(path, CERTAIN)


def is_untyped(path: str) -> bool:
    """Return whether a place may be of any type; arguments and claims themselves are objects."""
    return path.startswith(tuple(f"{each}." for each in UNTYPED))


def may_be_empty(path: str) -> bool:
    """Return whether a place is an empty collection if its content is unknown."""
    return _below(path, EMPTY_IF_UNKNOWN)


class BodyDemands(Struct, frozen=True):
    """The places that must exist, those that must have a type, and the collections that must not be empty."""

    there: frozenset[str] = frozenset()
    typed: frozenset[str] = frozenset()
    filled: frozenset[str] = frozenset()

    def __or__(self, other: "BodyDemands") -> "BodyDemands":
        return BodyDemands(self.there | other.there, self.typed | other.typed, self.filled | other.filled)

    def __and__(self, other: "BodyDemands") -> "BodyDemands":
        return BodyDemands(self.there & other.there, self.typed & other.typed, self.filled & other.filled)

    def cover(self, path: str) -> bool:
        """Return whether a place is required, with its type if it is untyped; own data only needs to exist."""
        if may_be_empty(path):
            return path in self.filled
        wanted = self.typed if is_untyped(path) and not path.startswith("data.own") else self.there | self.typed
        return any(each == path or each.startswith(f"{path}.") for each in wanted)


def _value(head: Json) -> Json:
    """Return the value of a rule as an expression."""
    return {"terms": head.get("value")}


def demands_of(body: Iterable[Json], rules: Rules, depth: int = 0) -> BodyDemands:
    """Return what the expressions require together; local names are already replaced by their terms."""
    found = BodyDemands()
    for expression in body:
        if not expression.get("negated"):
            found |= _demanded(expression, rules, depth)
    return found


def _demanded(expression: Json, rules: Rules, depth: int) -> BodyDemands:
    terms = expression.get("terms")
    if is_object(terms):
        if "domain" in terms:
            return BodyDemands()
        symbols = [each for each in objects(terms.get("symbols")) if each.get("type") == "call"]
        if "symbols" in terms:
            return _joined(_iterated(each) for each in symbols)
    called = term_of(expression)
    return (
        _of_places(called)
        | _filled(expression)
        | _joined(_of_rules(rules.named(use.path), use.arguments, rules, depth) for use in uses(called))
    )


def _joined(demands: Iterable[BodyDemands]) -> BodyDemands:
    found = BodyDemands()
    for each in demands:
        found |= each
    return found


def _iterated(symbol: Json) -> BodyDemands:
    """Return the demand of `some x in xs`: the collection exists and is not empty."""
    path = place(symbol["value"][-1])
    one = frozenset({path})
    return BodyDemands(one, one, one) if path else BodyDemands()


def collection(term: Any) -> str:
    """Return the key of a collection: its place, or the text of a comprehension; empty for other terms."""
    is_made = is_object(term) and term.get("type") in COMPREHENSIONS
    return repr(term["value"]) if is_made else place(term)


def _filled(expression: Json) -> BodyDemands:
    """Return the demand of `count(xs) > 0` and `x in xs`: the collection is not empty."""
    name, terms = operator(expression), expression.get("terms")
    if not is_array(terms) or len(terms) != 3:  # noqa: PLR2004 - two sides
        return BodyDemands()
    if name == "internal.member_2":
        return BodyDemands(filled=frozenset({collection(terms[2])}))
    sides = ((name, terms[1], terms[2]), (MIRRORED.get(name, name), terms[2], terms[1]))
    found = {
        collection(term["value"][1])
        for comparison, term, other in sides
        if operator(term) == "count" and comparison in COMPARISONS and constant(other) is not MISSING
        if not holds(comparison, number(0), constant(other))
    }
    return BodyDemands(filled=frozenset(found - {""}))


def _of_places(term: Any, *, inside: bool = False, typing: bool = False) -> BodyDemands:
    """Return what a term requires of its places; `typing`: it is an argument of a call that fails for other types."""
    if is_array(term):
        return _joined(_of_places(each, inside=True, typing=typing) for each in term)
    if not is_object(term):
        return BodyDemands()
    if term.get("type") == "call":
        name = operator(term)
        weak = name in _WEAK or (inside and name.startswith(_ASKED_INSIDE))
        return _joined(_of_places(each, inside=True, typing=not weak) for each in term["value"][1:])
    if term.get("type") == "ref":
        path = place(term)
        if path:
            return BodyDemands(frozenset({path}), frozenset({path}) if typing else frozenset())
        return _of_places(term["value"][0], inside=True)
    return (
        _of_places(term["value"], inside=True, typing=typing) if term.get("type") in {"array", "set"} else BodyDemands()
    )


def _of_rules(found: list[OwnRule], arguments: list[Json], rules: Rules, depth: int) -> BodyDemands:
    """Return what all definitions of a rule require; a collection exists regardless of its bodies."""
    if not found or depth > _DEEPEST or any(each.is_collection for each in found):
        return BodyDemands()
    every: list[BodyDemands] = []
    for own in found:
        for head, body in own.branches:
            resolved = rules.resolved(own.module, [*body, _value(head)])
            names = names_of(resolved, own.given(arguments))
            every.append(demands_of([replaced(each, names) for each in resolved], rules, depth + 1))
    shared = every[0]
    for each in every[1:]:
        shared &= each
    return shared
