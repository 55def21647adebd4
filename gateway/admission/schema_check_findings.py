"""The findings about a call's arguments: whether they match, which keywords were not checked, and the mismatches.

Rule 1: the search for reasons is bounded. Large arguments are not searched, and a costly schema gives only one reason.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.admission.argument_schema_check import Checker, check, check_formats, check_value
from gateway.admission.checkable_schema_part import MOST_NAMED
from gateway.admission.json_schema_validator import Validator, Violation, first_violation, violations
from gateway.admission.policy_input import ArgumentError, SchemaCheck
from gateway.admission.schema_mismatches import ARGUMENTS, MOST, ValueAndSchema, Words, explained

LARGEST: Final = 32_768
"""Largest value, in bytes, that is searched for reasons."""
_EVERY: Final = 50_000
"""Limit of schema steps times bytes up to which all reasons are searched."""


class Findings(Struct, frozen=True, kw_only=True):
    """The verdict of a presented schema on arguments."""

    schema: SchemaCheck = "none"
    formats: SchemaCheck = "none"
    unchecked: tuple[str, ...] = ()
    errors: tuple[ArgumentError, ...] = ()


def findings(checker: Checker, arguments: Mapping[str, Any], size: int) -> Findings:
    """Return the findings about arguments whose JSON has `size` bytes."""
    schema = check(checker, arguments)
    formats = check_formats(checker, arguments) if schema == "match" else schema
    failing = checker.validator if schema == "mismatch" else checker.formats if formats == "mismatch" else None
    unchecked = tuple(one.pointer for one in checker.usable.unchecked[:MOST_NAMED])
    if failing is None:
        return Findings(schema=schema, formats=formats, unchecked=unchecked)
    judged = ValueAndSchema(value=arguments, usable=checker.usable, presented=checker.presented, words=ARGUMENTS)
    errors = tuple(explained(judged, _violations(checker, failing, arguments, size)))
    return Findings(schema=schema, formats=formats, unchecked=unchecked, errors=errors)


def value_findings(checker: Checker, value: Any, size: int, words: Words) -> Findings:
    """Return the findings about any value, without formats."""
    schema = check_value(checker, value)
    judged = ValueAndSchema(value=value, usable=checker.usable, presented=checker.presented, words=words)
    failing = checker.validator if schema == "mismatch" else None
    return Findings(schema=schema, errors=tuple(explained(judged, _violations(checker, failing, value, size))))


def _violations(checker: Checker, validator: Validator | None, value: Any, size: int) -> list[Violation]:
    if validator is None or size > LARGEST:
        return []
    if checker.cost * size <= _EVERY:
        return violations(validator, value, MOST)
    first = first_violation(validator, value)
    return [first] if first is not None else []
