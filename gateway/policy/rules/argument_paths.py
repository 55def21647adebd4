"""Look up the arguments of pinned catalog definitions, for the conditions of rules.

Rule 1: an argument counts as missing only if the reviewed schema describes other arguments there but not this one. If a
schema leaves it open (no properties, `additionalProperties`, a pattern, an external reference), the argument may exist.
Rule 2: a target without a reviewed schema may have any argument.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from gateway.admission.schema_properties import Part, Schema, declared, is_array, is_object, of_elements
from gateway.artifact.json_narrowing import Json, objects
from gateway.policy.rules.argument_types import EVERY, Types, types_at
from gateway.policy.rules.catalog_names import CatalogTarget
from gateway.protocol.json_pointers import unescaped

REVIEWED: Final = {"tools": "inputSchema", "prompts": "arguments"}
"""Section -> the part of a definition that describes its arguments."""
_OPENING: Final = ("additionalProperties", "unevaluatedProperties")
_NESTED: Final = frozenset({"object", "array"})

Names = frozenset[str]
Resolved = tuple[Names | None, Sequence[Any] | None]
"""The existing paths if the path surely does not exist; the subschemas if it exists; neither if it may exist."""


class ArgumentPaths:
    """A cached lookup of argument paths."""

    def __init__(self) -> None:
        self._schemas: dict[tuple[str, str, str], Schema | None] = {}
        self._known: dict[tuple[str, str, str, str], Resolved] = {}

    def instead(self, target: CatalogTarget, path: str) -> Names | None:
        """Return the paths of a target if `path` is surely not one of them; None if it is or may be."""
        return self._found(target, path)[0]

    def types(self, target: CatalogTarget, path: str, lists: int) -> Types:
        """Return the possible JSON types at a path of a target, or inside `lists` nested lists there."""
        schema, (_, parts) = self._schema(target), self._found(target, path)
        return EVERY if schema is None or parts is None else types_at(schema, parts, lists)

    def _found(self, target: CatalogTarget, path: str) -> "Resolved":
        schema = self._schema(target)
        if schema is None:
            return None, None
        key = (target.server, target.section, target.name, path)
        if key not in self._known:
            self._known[key] = _resolved(schema, path)
        return self._known[key]

    def _schema(self, target: CatalogTarget) -> Schema | None:
        place = (target.server, target.section, target.name)
        if place not in self._schemas:
            self._schemas[place] = _schema(target)
        return self._schemas[place]


def _schema(target: CatalogTarget) -> Schema | None:
    part = REVIEWED.get(target.section, "")
    reviewed = target.entry.get("reviewed", {})
    if part not in reviewed:
        return None
    value: Any = reviewed[part]
    if target.section == "prompts":
        names = [each["name"] for each in objects(value) if isinstance(each.get("name"), str)]
        value = {"properties": {name: {"type": "string"} for name in names}, "additionalProperties": False}
    try:
        return Schema(value)
    except (LookupError, RecursionError):
        return None


def _resolved(schema: Schema, path: str) -> Resolved:
    parts: Sequence[Any] = [schema.root]
    before = ""
    for segment in path.split("/")[1:]:
        here = schema.here(parts)
        if not here or any(map(_leads_elsewhere, here)):
            return None, None
        name = unescaped(segment)
        inner = _inner(here, name)
        if inner is None:
            return None, None
        if not inner:
            return frozenset(map(partial(_below, before), declared(here))), None
        parts, before = inner, f"{before}/{segment}"
    return None, parts


def _inner(here: Sequence[Part], name: str) -> list[Any] | None:
    """Return the subschemas of a member or element; an empty list if it is missing, None if the schema is open."""
    named = [part["properties"][name] for part in here if name in _properties(part)]
    if named:
        return named
    if any(is_object(part.get("patternProperties")) for part in here):
        return None
    stated = [part[keyword] for part in here for keyword in _OPENING if part.get(keyword, False) is not False]
    if stated:
        return stated if all(map(is_object, stated)) else None
    if name.isdecimal() and (elements := of_elements(here)):
        return elements
    kinds = {kind for part in here for kind in _kinds(part)}
    closed = any(part.get("additionalProperties") is False for part in here)
    described = any(map(_properties, here)) or closed or (bool(kinds) and not kinds & _NESTED)
    only_array = bool(kinds) and kinds & _NESTED == {"array"} and not name.isdecimal()
    return [] if described or only_array else None


def _properties(part: Part) -> Json:
    stated: Any = part.get("properties")
    return stated if is_object(stated) else {}


def _kinds(part: Part) -> list[Any]:
    kind: Any = part.get("type")
    return kind if is_array(kind) else [kind] if isinstance(kind, str) else []


def _leads_elsewhere(part: Part) -> bool:
    return any(not str(part[name]).startswith("#") for name in ("$ref", "$dynamicRef") if name in part)


def _below(before: str, name: str) -> str:
    return f"{before}/{name.replace('~', '~0').replace('/', '~1')}"
