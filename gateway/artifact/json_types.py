"""Narrows plain JSON values whose shape is not known yet.

Rule 1: a value of another shape is empty, never an exception: whoever reads it finds nothing and says so.
"""

from typing import Any, TypeGuard

Json = dict[str, Any]


def is_object(value: object) -> TypeGuard[Json]:
    """True for a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """True for a JSON array."""
    return isinstance(value, list)


def objects(value: object) -> list[Json]:
    """The objects of an array."""
    return [each for each in value if is_object(each)] if is_array(value) else []
