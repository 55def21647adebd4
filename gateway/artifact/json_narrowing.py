"""Narrow plain JSON values of unknown type.

Rule 1: a value of another type gives an empty result, never an exception. The caller finds nothing and reports that.
"""

from typing import Any, TypeGuard

Json = dict[str, Any]


def is_object(value: object) -> TypeGuard[Json]:
    """Return whether the value is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Return whether the value is a JSON array."""
    return isinstance(value, list)


def objects(value: object) -> list[Json]:
    """Return the objects in an array."""
    return [each for each in value if is_object(each)] if is_array(value) else []
