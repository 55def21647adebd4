"""What can be said of a call's arguments against the schema that the server presents.

Rule 1: a schema that does not compile, or may cost more than a call is worth, gives `uncheckable`, never `match`.
Rule 2: nothing is fetched: a reference out of the schema cannot be followed; patterns run in linear time.
Rule 3: a key that folds onto a declared or a neighboring key without being equal is named, for the caller to refuse:
servers in some languages read it as that other key.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn, Protocol

import jsonschema_rs
from msgspec import Struct

from gateway.admission.digests import canonical, digest_of_bytes
from gateway.admission.policy_input import ArgumentsMeta, SchemaCheck
from gateway.admission.schemas import (
    Part,
    Schema,
    all_declared,
    declared,
    is_array,
    is_object,
    of_elements,
    of_member,
)
from gateway.admission.walking import depth, is_node, nodes, size
from gateway.protocol.keys import fold as plain_fold

BUDGET: Final = 30_000_000
"""Most schema steps times argument values that a check may take; a step is about 20 ns."""

_WIDE: Final = 256
"""Longest key whose compatibility forms are folded too: NFKC can make a text 18 times as long."""

_PATTERNS: Final = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)


class Validator(Protocol):
    """A compiled schema."""

    def is_valid(self, instance: Any) -> bool: ...


class Checker(Struct, frozen=True, kw_only=True):
    """A presented schema, ready for arguments; `schema` and `validator` are null where it cannot be used (Rule 1)."""

    schema: Schema | None = None
    validator: Validator | None = None
    spelled: frozenset[str] = frozenset()
    """The folded forms of the property names that the schema declares anywhere."""
    plain: frozenset[str] = frozenset()
    """Those names that no other declared name folds onto."""


def compiled(presented: Any) -> Checker:
    """Return the checker of a presented JSON Schema; draft 2020-12 where it does not name another."""
    names = set(all_declared(presented))
    folds = Counter(fold(name) for name in names)
    plain = frozenset(name for name in names if folds[fold(name)] == 1)
    try:
        schema = Schema(presented)
    except (LookupError, RecursionError):
        return Checker(spelled=frozenset(folds), plain=plain)
    return Checker(schema=schema, validator=_validator(presented), spelled=frozenset(folds), plain=plain)


def check(checker: Checker, arguments: Mapping[str, Any]) -> SchemaCheck:
    """Return whether arguments match the presented schema."""
    if checker.schema is None or checker.validator is None or not _affordable(checker.schema, arguments):
        return "uncheckable"
    try:
        return "match" if checker.validator.is_valid(arguments) else "mismatch"
    except ValueError:  # nested beyond the library's limit, or text that is not UTF-8
        return "uncheckable"


def folded_key(checker: Checker, arguments: Mapping[str, Any]) -> str | None:
    """Return a key that some server may read as another one (Rule 3), the outermost first; null where there is none."""
    suspect = _suspect(checker, arguments)
    if suspect is None or checker.schema is None or not _affordable(checker.schema, arguments):
        return suspect
    return next(_folded(checker.schema, arguments), None)


def measure(arguments: Mapping[str, Any], schema: SchemaCheck) -> ArgumentsMeta:
    """Return the measures of arguments: bytes and digest of their RFC 8785 JSON, and how deep they nest."""
    return measured(canonical(arguments), arguments, schema)


def measured(text: bytes, arguments: Mapping[str, Any], schema: SchemaCheck) -> ArgumentsMeta:
    """Return the measures of arguments whose RFC 8785 JSON is at hand."""
    return ArgumentsMeta(bytes=len(text), digest=digest_of_bytes(text), depth=depth(arguments), schema=schema)


def fold(key: str) -> str:
    """Return the form in which two keys are equal that some JSON reader, or some eye, takes for one."""
    wide = not key.isascii() and len(key) <= _WIDE
    return plain_fold(unicodedata.normalize("NFKC", key) if wide else key)


def _validator(presented: Any) -> Validator | None:
    try:
        return jsonschema_rs.validator_for(presented, pattern_options=_PATTERNS, retriever=_refuse)
    except (ValueError, TypeError):  # jsonschema_rs.ValidationError is a ValueError
        return None


def _refuse(uri: str) -> NoReturn:
    raise ValueError(uri)


def _affordable(schema: Schema, arguments: Mapping[str, Any]) -> bool:
    return schema.cost * size(arguments) <= BUDGET


def _suspect(checker: Checker, arguments: Mapping[str, Any]) -> str | None:
    """Return a key that has another spelling in the schema or beside it, at any depth; quick, and too wide."""
    for value in nodes(arguments):
        if is_object(value) and (rest := [key for key in value if key not in checker.plain]):
            folds = Counter(map(fold, rest))
            if len(folds) < len(rest) or not checker.spelled.isdisjoint(folds):
                return next(key for key in rest if folds[fold(key)] > 1 or fold(key) in checker.spelled)
    return None


class _Place(Struct, frozen=True):
    """The subschemas that may judge a value, the names that they declare, and the folded forms of those."""

    here: list[Part]
    names: set[str]
    folds: set[str]


def _folded(schema: Schema, arguments: Mapping[str, Any]) -> Iterator[str]:
    """Return the keys that fold onto another, level by level; elements of one list share a look at the schema."""
    known: dict[tuple[int, ...], _Place] = {}
    places: list[tuple[list[Any], Any]] = [([schema.root], arguments)]
    while places:
        below: list[tuple[list[Any], Any]] = []
        for parts, value in places:
            place = _placed(schema, parts, known)
            if is_object(value):
                yield from _folded_here(place, list(value))
                below += ((of_member(place.here, key), inner) for key, inner in value.items() if is_node(inner))
            elif is_array(value):
                elements = of_elements(place.here)
                below += ((elements, inner) for inner in value if is_node(inner))
        places = below


def _placed(schema: Schema, parts: list[Any], known: dict[tuple[int, ...], _Place]) -> _Place:
    """Return the place of subschemas; they live as long as the schema, so their identity names them."""
    identity = tuple(map(id, parts))
    if identity not in known:
        here = schema.here(parts)
        names = declared(here)
        known[identity] = _Place(here, names, {fold(name) for name in names})
    return known[identity]


def _folded_here(place: _Place, keys: list[str]) -> Iterator[str]:
    """Return the keys of one object that are not declared, and fold onto a declared name or another key."""
    alike = Counter(map(fold, keys))
    for key in keys:
        if key not in place.names and (fold(key) in place.folds or alike[fold(key)] > 1):
            yield key
