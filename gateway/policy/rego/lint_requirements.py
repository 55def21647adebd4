"""Lint requirements so that anything missing, mistyped or undefined is a denial (DESIGN section 4).

Rule 1: `met` and `met_by_arguments` must be `... if {...}` with value true (`opa fmt` writes `met if true` as
`met := true`). They must not have another way to be true.
Rule 2: `every` over an empty collection is true, so the same body must also require that the collection is not empty.
Rule 3: a condition that permits must list safe values. A list of dangerous values misses new ones and undefined ones.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from gateway.artifact.json_narrowing import Json, is_array, is_object, objects
from gateway.policy.rego.rego_ast import dotted, operator
from gateway.policy.rego.rego_module import Module, bare, row, text, walk
from gateway.policy.rego.staged_requirements import RequirementDirectory
from gateway.policy.sources.problem import Problem

JUDGING: Final = ("met", "met_by_arguments")
_PLAIN: Final = re.compile(r"met(?:_by_arguments)?\s+if\b")
_UNCONDITIONAL: Final = frozenset(f"{name} := true" for name in JUDGING)
"""The form that `opa fmt` gives to `met if true`: the only assignment that is allowed."""
_RULES_OUT_NOTHING: Final[Mapping[str, Callable[[float], bool]]] = {
    "gt": lambda number: number >= 0,
    "gte": lambda number: number > 0,
    "equal": lambda number: number > 0,
    "neq": lambda number: number == 0,
}
_MIRRORED: Final = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"}


def malformed(found: RequirementDirectory) -> Iterator[Problem]:
    """Yield a problem for each `met` and `met_by_arguments` that is not `... if {...}` with value true."""
    for name in JUDGING:
        for module, rule in found.rules(name):
            said = _form(rule)
            if said:
                remedy = f"Write `{name} if {{...}}`: true if it holds, else undefined."
                yield Problem(module.path, row(rule), f"`{name}` {said}.", remedy)


def _form(rule: Json) -> str:
    head = rule["head"]
    if rule.get("default"):
        return "has a default"
    if head.get("args") is not None:
        return "is a function"
    if head.get("key") is not None or len(head.get("ref", [])) > 1:
        return "is a set or an object"
    if text(rule) in _UNCONDITIONAL:
        return ""
    if head.get("assign") or head.get("value", {}).get("value") is not True:
        return "assigns a value"
    if "else" in rule:
        return "has an `else`"
    return "" if _PLAIN.match(text(rule)) else "is not written with `if`"


def unguarded(module: Module) -> Iterator[Problem]:
    """Yield a problem for each `every` without a check in the same body that its domain is not empty."""
    for node in walk(module.rules):
        body = objects(node.get("body"))
        for expression in body:
            every = expression.get("terms")
            if is_object(every) and "domain" in every and not _guarded(every["domain"], body):
                remedy = "Add `count(...) > 0` of the same collection: `every` over an empty collection is true."
                yield Problem(
                    module.path, row(expression), "`every` lacks a check that the collection is not empty.", remedy
                )


def _guarded(domain: Json, body: list[Json]) -> bool:
    wanted = bare(domain)
    return _is_filled(wanted) or any(_guards(bare(expression), wanted) for expression in body)


def _is_filled(term: Json) -> bool:
    """Return whether a term is a literal collection that is not empty."""
    return term.get("type") in {"array", "set", "object"} and bool(term["value"])


def _guards(expression: Json, domain: Json) -> bool:
    """Return whether an expression cannot hold for an empty domain."""
    if expression.get("negated"):
        return False
    terms = expression.get("terms")
    if is_object(terms):
        symbols = objects(terms.get("symbols"))
        return any(each["type"] == "call" and each["value"][-1] == domain for each in symbols)
    name = operator(expression)
    if not name or not is_array(terms) or len(terms) != 3:  # noqa: PLR2004 - an operator and its two sides
        return False
    _, left, right = terms
    if name == "assign" and left == domain and _is_filled(right):
        return True
    return _sized(name, left, right, domain) or (name == "neq" and _other_than_nothing(left, right, domain))


def _sized(name: str, left: Json, right: Json, domain: Json) -> bool:
    """Return whether an expression compares `count(domain)` with a number so that an empty domain is excluded."""
    counted = {"type": "call", "value": [{"type": "ref", "value": [{"type": "var", "value": "count"}]}, domain]}
    name, number = (name, right) if left == counted else (_MIRRORED.get(name, name), left)
    if counted not in (left, right) or number.get("type") != "number":
        return False
    return _RULES_OUT_NOTHING.get(name, _never)(number["value"])


def _never(_: float) -> bool:
    return False


def _other_than_nothing(left: Json, right: Json, domain: Json) -> bool:
    other = right if left == domain else left if right == domain else None
    return other is not None and other.get("type") in {"array", "set", "object"} and not other["value"]


def dangerous(found: RequirementDirectory) -> Iterator[Problem]:
    """Yield a problem for each expression that permits because a value is not one of some listed dangerous values."""
    for name in JUDGING:
        for module, rule in found.rules(name):
            for expression in walk(rule["body"]):
                if is_array(expression.get("terms")) and _names_danger(expression, module.imports):
                    remedy = "List safe values: `x in {...}` or `not call.may(...)`. An unknown value must not pass."
                    said = f"`{name}` permits every value that is not in a list of dangerous ones."
                    yield Problem(module.path, row(expression), said, remedy)


def _names_danger(expression: Mapping[str, Any], imports: Mapping[str, str]) -> bool:
    name, sides = operator(expression), expression["terms"][1:]
    negated = bool(expression.get("negated"))
    excluding = (name == "neq" and not negated) or (name in {"equal", "eq", "internal.member_2"} and negated)
    asked = any(_is_outside(side, imports) for side in sides)
    return excluding and asked and any(_is_word(side) for side in sides)


def _is_outside(term: Any, imports: Mapping[str, str]) -> bool:
    """Return whether a term comes from the input or a library, so that its value may be unexpected or missing."""
    path = dotted(term, imports)
    return path.startswith(("input.", "data."))


def _is_word(term: Any) -> bool:
    """Return whether a term is a string or a collection of strings."""
    if not is_object(term):
        return False
    if term.get("type") in {"set", "array"}:
        return any(_is_word(each) for each in objects(term["value"]))
    return term.get("type") == "string"
