"""Determine the JSON types that a target's reviewed schema allows for an argument, for the tests of conditions.

Rule 1: a type counts as impossible only if the schema excludes it. A value that the schema leaves open has any type.
Rule 2: the types of list elements come from `items` and `prefixItems` only.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.admission.schema_properties import Part, Schema, is_array, is_object
from gateway.policy.rules.rule_conditions import ELEMENTS, NUMBERS, SQL, TEXTS, ConditionTest

EVERY: Final = frozenset({"null", "boolean", "number", "string", "array", "object"})
_DEEPEST: Final = 20
_TEXTS: Final = TEXTS | {"host", "domain", "within", SQL}

Types = frozenset[str]


def judged(test: ConditionTest) -> Types:
    """Return the types of the values that a test applies to."""
    if test.word in NUMBERS:
        return frozenset({"number"})
    if test.word in _TEXTS:
        return frozenset({"string"})
    if test.word in ELEMENTS:
        return frozenset({"array"})
    match test.word:
        case "length":
            return frozenset({"string", "array"})
        case "equals":
            return frozenset({type_of(test.operand)})
        case "in":
            return frozenset(map(type_of, test.operand))
        case _:
            return EVERY


def type_of(value: Any) -> str:
    """Return the JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = ((int | float, "number"), (str, "string"), (list, "array"))
    return next((name for kind, name in names if isinstance(value, kind)), "object")


def types_at(schema: Schema, parts: Sequence[Any], lists: int) -> Types:
    """Return the types that one of the subschemas allows, or those of the elements inside `lists` nested lists."""
    found = frozenset[str]()
    for part in _elements(schema, parts, lists):
        found |= _types(schema, part, _DEEPEST)
    return found


def _elements(schema: Schema, parts: Sequence[Any], lists: int) -> Iterable[Any]:
    """Return the subschemas of the elements; `True`, which allows everything, if none are stated."""
    for _ in range(lists):
        parts = [inner for part in parts for inner in _items(schema, part, _DEEPEST)]
    return parts


def _items(schema: Schema, part: Any, room: int) -> list[Any]:
    """Return the subschemas of the list elements that a subschema allows; empty if it does not allow lists."""
    if not is_object(part) or not room:
        return [True]
    if "array" not in _types(schema, part, room):
        return []
    if "items" in part:
        items, first = part["items"], part.get("prefixItems", [])
        return [*(items if is_array(items) else [items]), *(first if is_array(first) else [True])]
    for joined in (*_all_of(part), *_referenced(schema, part)):
        found = _items(schema, joined, room - 1)
        if found != [True]:
            return found
    for keyword in ("anyOf", "oneOf"):
        if is_array(part.get(keyword)):
            return [inner for each in part[keyword] for inner in _items(schema, each, room - 1)]
    return [True]


def _types(schema: Schema, part: Any, room: int) -> Types:
    if part is False:
        return frozenset()
    if not is_object(part) or not room:
        return EVERY
    found = _stated(part)
    for keyword in ("anyOf", "oneOf"):
        if is_array(part.get(keyword)):
            found &= frozenset().union(*(_types(schema, each, room - 1) for each in part[keyword]))
    for joined in (*_all_of(part), *_referenced(schema, part)):
        found &= _types(schema, joined, room - 1)
    return found | {"null"} if part.get("nullable") is True else found


def _stated(part: Part) -> Types:
    found = EVERY
    kinds: Any = part.get("type")
    named = kinds if is_array(kinds) else [kinds]
    if "type" in part and all(isinstance(kind, str) and kind in EVERY | {"integer"} for kind in named):
        found &= frozenset("number" if kind == "integer" else kind for kind in named)
    if is_array(part.get("enum")):
        found &= frozenset(map(type_of, part["enum"]))
    return found & {type_of(part["const"])} if "const" in part else found


def _all_of(part: Part) -> list[Any]:
    stated: Any = part.get("allOf")
    return stated if is_array(stated) else []


def _referenced(schema: Schema, part: Part) -> list[Any]:
    """Return the subschema that a reference names; empty for an external reference, which allows everything."""
    if "$ref" not in part:
        return []
    alone = schema.here([{"$ref": part["$ref"]}])
    return alone[1:2]
