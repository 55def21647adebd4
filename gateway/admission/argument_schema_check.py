"""The check of a call's arguments against the schema that the server presents.

Rule 1: a part of the schema that cannot be used is left out and named; the rest is checked.
Rule 2: a schema that may take too long for one call gives `uncheckable`, never `match`.
Rule 3: a key that folds onto a declared or neighboring key without being equal is named, so that the caller can refuse
it. Servers in some languages read it as that other key.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.admission.checkable_schema_part import Unchecked, UsableSchema, usable
from gateway.admission.digests import canonical, digest_of_bytes
from gateway.admission.json_schema_validator import Validator, compiled_schema, is_pattern
from gateway.admission.json_walk import depth, inner, is_node, nodes, size
from gateway.admission.policy_input import ArgumentsMeta, SchemaCheck
from gateway.admission.schema_costs import Extent, cost_by_value, steps_of
from gateway.admission.schema_properties import (
    Part,
    Schema,
    all_declared,
    cost_of,
    declared,
    has_format,
    is_array,
    is_object,
    of_elements,
    of_member,
)
from gateway.protocol.key_folding import fold as plain_fold

BUDGET: Final = 3_000_000
"""Most steps of one check, by `schema_costs`. A step is about 10 ns, so this is about 30 ms, and the check blocks
everything else. A flat schema of 1,000 strings with 1,000 of them takes 6,000 steps."""
_WALK: Final = 200_000
"""Most subschemas that are searched for keys that fold, in Python: about 100 ns each."""

MOST_VALUES: Final = 10_000
"""Most values of a schema that is read, at all depths. A larger schema would block the gateway for too long."""

_WIDE: Final = 256
"""Longest key whose compatibility forms are also folded: NFKC can make a text 18 times as long."""


class Checker(Struct, frozen=True, kw_only=True):
    """A presented schema, ready for arguments."""

    presented: Any = None
    schema: Schema | None = None
    """The presented schema, for the names that it declares; null if it is not understood well enough for that."""
    usable: UsableSchema = UsableSchema(schema=True)
    cost: int = 1
    """Number of subschemas of the usable part. One that is referenced several times counts each time."""
    by_value: Extent = Extent(values=1)
    """The highest cost of the usable part for one value."""
    validator: Validator | None = None
    formats: Validator | None = None
    """Validator that also asserts formats; null for a schema without formats."""
    spelled: frozenset[str] = frozenset()
    """The folded forms of all property names that the schema declares."""
    plain: frozenset[str] = frozenset()
    """The declared names that no other declared name folds onto."""


def compiled(presented: Any) -> Checker:
    """Return the checker of a presented JSON Schema, read as draft 2020-12 unless it names another draft."""
    if size(presented) > MOST_VALUES:
        part, validator = _nothing(f"has more than {MOST_VALUES} values")
        return Checker(presented=presented, usable=part, validator=validator)
    names = set(all_declared(presented))
    folds = Counter(fold(name) for name in names)
    part, validator = _usable(presented)
    return Checker(
        presented=presented,
        schema=_understood(presented),
        usable=part,
        cost=cost_of(part.schema, {}),
        by_value=cost_by_value(part.schema),
        validator=validator,
        formats=compiled_schema(part.schema, formats=True) if has_format(part.schema) else None,
        spelled=frozenset(folds),
        plain=frozenset(name for name in names if folds[fold(name)] == 1),
    )


def check(checker: Checker, arguments: Mapping[str, Any]) -> SchemaCheck:
    """Return whether arguments match the presented schema."""
    return _checked(checker, checker.validator, arguments)


def check_value(checker: Checker, value: Any) -> SchemaCheck:
    """Return whether a value that need not be an object matches the presented schema."""
    return _checked(checker, checker.validator, value)


def check_formats(checker: Checker, arguments: Mapping[str, Any]) -> SchemaCheck:
    """Return whether arguments have the formats that the presented schema names; `none` if it names no format."""
    return _checked(checker, checker.formats, arguments) if checker.formats is not None else "none"


def folded_key(checker: Checker, arguments: Mapping[str, Any]) -> str | None:
    """Return a key that some servers may read as another one (Rule 3), the outermost first; null if there is none."""
    suspect = _suspect(checker, arguments)
    if suspect is None or checker.schema is None:
        return suspect
    return next(_folded(checker.schema, arguments, suspect), None)


def measure(arguments: Mapping[str, Any], schema: SchemaCheck) -> ArgumentsMeta:
    """Return the measures of arguments: bytes and digest of their RFC 8785 JSON, and their depth."""
    return measured(canonical(arguments), arguments, schema)


def measured(text: bytes, arguments: Mapping[str, Any], schema: SchemaCheck) -> ArgumentsMeta:
    """Return the measures of arguments whose RFC 8785 JSON is already available."""
    return ArgumentsMeta(bytes=len(text), digest=digest_of_bytes(text), depth=depth(arguments), schema=schema)


def fold(key: str) -> str:
    """Return the form in which two keys are equal if a JSON reader or a person may take one for the other."""
    wide = not key.isascii() and len(key) <= _WIDE
    return plain_fold(unicodedata.normalize("NFKC", key) if wide else key)


def _usable(presented: Any) -> tuple[UsableSchema, Validator | None]:
    """Return the usable part of a schema with its validator; nothing is usable if the library rejects the schema."""
    part = usable(presented, is_pattern)
    validator = compiled_schema(part.schema, formats=False)
    if validator is not None:
        return part, validator
    return _nothing("has a value that the validator does not accept, such as text that is not Unicode")


def _nothing(why: str) -> tuple[UsableSchema, Validator | None]:
    """Return a schema without any usable part, with a validator that accepts everything."""
    unchecked = (Unchecked("", why),)
    return UsableSchema(schema=True, unchecked=unchecked), compiled_schema(schema=True, formats=False)


def _understood(presented: Any) -> Schema | None:
    try:
        return Schema(presented)
    except (LookupError, RecursionError):
        return None


def _checked(checker: Checker, validator: Validator | None, value: Any) -> SchemaCheck:
    if validator is None or steps_of(checker.by_value, value, BUDGET) > BUDGET:
        return "uncheckable"
    try:
        return "match" if validator.is_valid(value) else "mismatch"
    except ValueError:  # nested beyond the library's limit, or text that is not UTF-8
        return "uncheckable"


def _suspect(checker: Checker, arguments: Mapping[str, Any]) -> str | None:
    """Return a key with another spelling in the schema or next to it, at any depth. Fast, with false positives."""
    for value in nodes(arguments):
        if is_object(value) and (rest := [key for key in value if key not in checker.plain]):
            folds = Counter(map(fold, rest))
            if len(folds) < len(rest) or not checker.spelled.isdisjoint(folds):
                return next(key for key in rest if folds[fold(key)] > 1 or fold(key) in checker.spelled)
    return None


class _Place(Struct, frozen=True):
    """The subschemas that may judge a value, the names that they declare, and the folded forms of these names."""

    here: list[Part]
    names: set[str]
    folds: set[str]


def _folded(schema: Schema, arguments: Mapping[str, Any], suspect: str) -> Iterator[str]:
    """Return the keys that fold onto another, level by level; `suspect` if a complete search takes too long.

    The elements of one list share one lookup in the schema.
    """
    looks = 0
    known: dict[tuple[int, ...], _Place] = {}
    places: list[tuple[list[Any], Any]] = [([schema.root], arguments)]
    while places:
        below: list[tuple[list[Any], Any]] = []
        for parts, value in places:
            place = _placed(schema, parts, known)
            looks += 1 + len(parts) + len(place.here) * (1 + sum(map(is_node, inner(value))))
            if looks > _WALK:
                yield suspect
                return
            if is_object(value):
                yield from _folded_here(place, list(value))
                below += ((of_member(place.here, key), child) for key, child in value.items() if is_node(child))
            elif is_array(value):
                elements = of_elements(place.here)
                below += ((elements, child) for child in value if is_node(child))
        places = below


def _placed(schema: Schema, parts: list[Any], known: dict[tuple[int, ...], _Place]) -> _Place:
    """Return the cache key of subschemas. Their identity is enough, because they live as long as the schema."""
    identity = tuple(map(id, parts))
    if identity not in known:
        here = schema.here(parts)
        names = declared(here)
        known[identity] = _Place(here, names, {fold(name) for name in names})
    return known[identity]


def _folded_here(place: _Place, keys: list[str]) -> Iterator[str]:
    """Return the keys of one object that are not declared and fold onto a declared name or another key."""
    alike = Counter(map(fold, keys))
    for key in keys:
        if key not in place.names and (fold(key) in place.folds or alike[fold(key)] > 1):
            yield key
