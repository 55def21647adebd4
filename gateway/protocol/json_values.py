"""Type checks for JSON values of unknown shape.

Rule 1: a value of another shape than the wanted one is null; nothing is converted.
"""

from typing import Any, cast


def as_object(value: object) -> dict[str, Any] | None:
    """Return a JSON object, or null for anything else."""
    return cast("dict[str, Any]", value) if type(value) is dict else None


def as_list(value: object) -> list[Any] | None:
    """Return a JSON array, or null for anything else."""
    return cast("list[Any]", value) if type(value) is list else None


def as_text(value: object) -> str | None:
    """Return a JSON string, or null for anything else."""
    return value if type(value) is str else None
