"""Reasons why a JSON value does not fit a schema, in words from which a model can correct it.

Rule 1: no value is repeated, only its kind and its length. Names of members are repeated, cut to a length.
Rule 2: an expected value is the schema's own text, cut to a length.
Rule 3: of an `anyOf` or `oneOf`, the branch that comes closest is described.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from msgspec import Struct

from gateway.admission.checkable_schema_part import UsableSchema
from gateway.admission.json_schema_validator import Path, Violation
from gateway.admission.policy_input import ArgumentError
from gateway.admission.schema_properties import is_array, is_object
from gateway.protocol.json_pointers import pointer_to

MOST: Final = 5
"""Most reasons that are given."""
_TEXT: Final = 500
_NAME: Final = 64
_VALUE: Final = 60
_VALUES: Final = 10
_STEPS: Final = 12


class Words(Struct, frozen=True, kw_only=True):
    """The words for the judged value."""

    whole: str
    """Such as `the arguments`."""
    member: str
    """Such as `argument`, before a name."""
    schema: str
    """Such as `the schema of the tool`."""


ARGUMENTS: Final = Words(whole="the arguments object", member="argument", schema="the schema of the tool")


class ValueAndSchema(Struct, frozen=True, kw_only=True):
    """A value that does not fit, with the schema in both forms."""

    value: Any
    usable: UsableSchema
    presented: Any
    words: Words


def explained(judged: ValueAndSchema, violations: Sequence[Violation]) -> list[ArgumentError]:
    """Return the reasons in words, at most `MOST`."""
    errors = [error for violation in violations for error in _errors(judged, violation)]
    return list(dict.fromkeys(errors))[:MOST]


def _errors(judged: ValueAndSchema, violation: Violation) -> Iterator[ArgumentError]:
    if violation.branches:
        yield from _of_branches(judged, violation)
    elif names := _names(judged, violation):
        for name in names[:MOST]:
            yield _error(judged, violation, (*violation.path, name), _about_name(judged, violation))
    else:
        yield _error(judged, violation, violation.path, _about_value(judged, violation))


def _error(judged: ValueAndSchema, violation: Violation, path: Path, said: str) -> ArgumentError:
    place = pointer_to(judged.usable.presented(judged.presented, violation.schema_path))[:200]
    subject = f"{judged.words.member} `{_shown_path(judged.value, path)}`" if path else judged.words.whole
    where = f" (keyword `{violation.keyword}` at {place})" if place else ""
    return ArgumentError(path=_pointer(path), keyword=violation.keyword, message=f"{subject} {said[:_TEXT]}{where}")


def _names(judged: ValueAndSchema, violation: Violation) -> Sequence[str]:
    """Return the members that a violation is about; with nothing declared, every member is one too many."""
    value = _at(judged.value, violation.path)
    if not violation.names and violation.keyword == "additionalProperties" and is_object(value):
        return list(value)
    return violation.names


def _of_branches(judged: ValueAndSchema, violation: Violation) -> Iterator[ArgumentError]:
    """Describe the closest branch, or the types that all of them require."""
    if any(not branch for branch in violation.branches):
        said = f"fits several alternatives of {judged.words.schema}, and must fit exactly one"
        yield _error(judged, violation, violation.path, said)
        return
    types = [_only_type(judged, violation, branch) for branch in violation.branches]
    if all(types):
        wanted = " or ".join(dict.fromkeys(_type_words(kind) for kinds in types for kind in kinds))
        said = f"is {_kind(_at(judged.value, violation.path))}; {judged.words.schema} requires {wanted}"
        yield _error(judged, violation, violation.path, said)
        return
    candidates = [branch for branch, kinds in zip(violation.branches, types, strict=True) if not kinds]
    closest = min(candidates, key=_distance)
    for inner in closest:
        for error in _errors(judged, inner):
            yield ArgumentError(
                path=error.path, keyword=error.keyword, message=f"{error.message}{_alternative(violation)}"
            )


def _alternative(violation: Violation) -> str:
    return f", in the closest of {len(violation.branches)} alternatives of `{violation.keyword}`"


def _distance(branch: Sequence[Violation]) -> tuple[int, int]:
    """Return how far a branch is from the value: fixed values that differ first, then the number of violations."""
    fixed = sum(violation.keyword in {"const", "enum"} for violation in branch)
    return fixed, len(branch)


def _only_type(judged: ValueAndSchema, violation: Violation, branch: Sequence[Violation]) -> list[str]:
    """Return the types that a branch requires, if it is the type of the whole value that does not fit."""
    for inner in branch:
        if inner.keyword == "type" and inner.path == violation.path:
            return _types(_at(judged.usable.schema, inner.schema_path))
    return []


def _about_name(judged: ValueAndSchema, violation: Violation) -> str:
    schema = judged.words.schema
    if violation.keyword in {"required", "dependentRequired", "dependencies", "dependentSchemas"}:
        return f"is missing; {schema} requires it"
    declared = _at(judged.usable.schema, (*violation.schema_path[:-1], "properties"))
    names = ", ".join(f"`{_name(name)}`" for name in list(declared)[:_VALUES]) if is_object(declared) else ""
    return f"is not expected; {schema} allows {names}" if names else f"is not expected by {schema}"


def _about_value(judged: ValueAndSchema, violation: Violation) -> str:
    value = _at(judged.value, violation.path)
    wanted = _at(judged.usable.schema, violation.schema_path)
    words = _WANTED.get(violation.keyword)
    schema = judged.words.schema
    if words is None:
        return f"is {_kind(value)}; {schema} does not accept it"
    return f"is {_kind(value)}; {schema} requires {words(wanted)}"


def _kind(value: Any) -> str:
    if is_object(value):
        return f"an object with {len(value)} members"
    if is_array(value):
        return f"a list with {len(value)} elements"
    if type(value) is str:
        return f"a string of {len(value)} characters"
    return _KINDS.get(type(value), "a value")


_KINDS: Final[Mapping[Any, str]] = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "null",
}


def _types(wanted: Any) -> list[str]:
    return [str(kind) for kind in wanted] if is_array(wanted) else [str(wanted)]


def _type_words(kind: str) -> str:
    named = {"integer": "an integer", "object": "an object", "array": "a list", "null": "null"}
    return named.get(kind, f"a {kind}")


def _json(value: Any) -> str:
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = "a value"
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}..."


def _one_of(wanted: Any) -> str:
    values = wanted if is_array(wanted) else []
    more = f" or one of {len(values) - _VALUES} more" if len(values) > _VALUES else ""
    return f"one of {', '.join(map(_json, values[:_VALUES]))}{more}"


_WANTED: Final[Mapping[str, Callable[[Any], str]]] = {
    "type": lambda wanted: " or ".join(_type_words(kind) for kind in _types(wanted)),
    "enum": _one_of,
    "const": lambda wanted: f"exactly {_json(wanted)}",
    "pattern": lambda wanted: f"a text that matches the pattern {_json(wanted)}",
    "format": lambda wanted: f"the format {_json(wanted)}",
    "minimum": lambda wanted: f"at least {_json(wanted)}",
    "maximum": lambda wanted: f"at most {_json(wanted)}",
    "exclusiveMinimum": lambda wanted: f"more than {_json(wanted)}",
    "exclusiveMaximum": lambda wanted: f"less than {_json(wanted)}",
    "multipleOf": lambda wanted: f"a multiple of {_json(wanted)}",
    "minLength": lambda wanted: f"at least {_json(wanted)} characters",
    "maxLength": lambda wanted: f"at most {_json(wanted)} characters",
    "minItems": lambda wanted: f"at least {_json(wanted)} elements",
    "maxItems": lambda wanted: f"at most {_json(wanted)} elements",
    "minProperties": lambda wanted: f"at least {_json(wanted)} members",
    "maxProperties": lambda wanted: f"at most {_json(wanted)} members",
    "uniqueItems": lambda _: "elements that are all different",
    "not": lambda _: "a value that it does not exclude",
    "contains": lambda _: "other elements",
    "propertyNames": lambda _: "other member names",
}


def _name(name: object) -> str:
    text = str(name)
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= _NAME else f"{shown[:_NAME]}..."


def _shown_path(value: Any, path: Path) -> str:
    """Return a path as `a.b[0]`."""
    text = ""
    for step in path[:_STEPS]:
        text += f"[{step}]" if is_array(value) else f".{_name(step)}"
        value = _at(value, (step,))
    return text.removeprefix(".") + ("..." if len(path) > _STEPS else "")


def _pointer(path: Path) -> str:
    return pointer_to(tuple(_name(step) for step in path[:_STEPS]))


def _at(value: Any, path: Path) -> Any:
    """Return what a path names; null if it names nothing. The library writes names of digits as numbers."""
    for step in path:
        if is_object(value):
            value = value.get(str(step))
        elif is_array(value) and type(step) is int and step < len(value):
            value = value[step]
        else:
            return None
    return value
