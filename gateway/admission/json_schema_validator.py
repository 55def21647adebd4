"""The library that validates JSON values, behind the few functions that the gateway needs.

Rule 1: patterns run in linear time, and references are never fetched.
Rule 2: a violation is a value without the library's types; its texts come from the schema, never from the instance.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NoReturn, Protocol

import jsonschema_rs
from msgspec import Struct

MOST_BRANCHES: Final = 8
"""Most branches of one `anyOf` or `oneOf` whose violations are read."""
_PER_BRANCH: Final = 4
_PATTERNS: Final = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)

Path = tuple[str | int, ...]


class Validator(Protocol):
    """A compiled schema."""

    def is_valid(self, instance: Any) -> bool: ...
    def validate(self, instance: Any) -> None: ...
    def iter_errors(self, instance: Any) -> Iterator[jsonschema_rs.ValidationError]: ...


class Violation(Struct, frozen=True, kw_only=True):
    """One keyword that a value does not satisfy."""

    keyword: str
    schema_path: Path
    """Path of the keyword in the compiled schema."""
    path: Path
    """Path of the value in the instance."""
    names: tuple[str, ...] = ()
    """The members that are missing or not expected."""
    branches: tuple[tuple["Violation", ...], ...] = ()
    """The violations of each branch of an `anyOf` or `oneOf`; empty for a branch that accepts the value."""


def compiled_schema(schema: Any, *, formats: bool) -> Validator | None:
    """Return the validator of a schema in draft 2020-12; null if the library does not accept the schema."""
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, pattern_options=_PATTERNS, retriever=_refuse, validate_formats=formats
        )
    except (ValueError, TypeError):  # jsonschema_rs.ValidationError is a ValueError
        return None


def is_pattern(text: str) -> bool:
    """Return whether a text is a pattern that runs in linear time within the library's size limit."""
    return compiled_schema({"pattern": text}, formats=False) is not None


def violations(validator: Validator, instance: Any, most: int) -> list[Violation]:
    """Return up to `most` violations. The cost grows with the number of all violations."""
    return [_violation(error) for error in islice(validator.iter_errors(instance), most)]


def first_violation(validator: Validator, instance: Any) -> Violation | None:
    """Return the first violation; null for a valid instance."""
    try:
        validator.validate(instance)
    except jsonschema_rs.ValidationError as error:
        return _violation(error)
    return None


def _violation(error: jsonschema_rs.ValidationError) -> Violation:
    schema_path = tuple(error.schema_path)
    return Violation(
        keyword=str(schema_path[-1]) if schema_path else "false",
        schema_path=schema_path,
        path=tuple(error.instance_path),
        names=_names(error.kind),
        branches=_branches(error.kind),
    )


def _names(kind: jsonschema_rs.ValidationErrorKind) -> tuple[str, ...]:
    match kind:
        case jsonschema_rs.ValidationErrorKind.Required(name):
            return (name,)
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(
            unexpected
        ) | jsonschema_rs.ValidationErrorKind.UnevaluatedProperties(unexpected):
            return tuple(unexpected)
        case _:
            return ()


def _branches(kind: jsonschema_rs.ValidationErrorKind) -> tuple[tuple[Violation, ...], ...]:
    match kind:
        case (
            jsonschema_rs.ValidationErrorKind.AnyOf(context)
            | jsonschema_rs.ValidationErrorKind.OneOfNotValid(context)
            | jsonschema_rs.ValidationErrorKind.OneOfMultipleValid(context)
        ):
            return tuple(map(_branch, context[:MOST_BRANCHES]))
        case _:
            return ()


def _branch(errors: Sequence[jsonschema_rs.ValidationError]) -> tuple[Violation, ...]:
    return tuple(_violation(error) for error in errors[:_PER_BRANCH])


def _refuse(uri: str) -> NoReturn:
    raise ValueError(uri)
