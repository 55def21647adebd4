"""Evaluate comparisons and type checks of constants in the same way as OPA.

Rule 1: values of different types are ordered by their types: null, boolean, number, string, array, object, set.
Rule 2: a comparison with a term that is not a constant, or an unknown comparison, counts as false.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.artifact.json_narrowing import is_array, is_object

MISSING: Final = object()
"""The value of a term that is not a constant."""
_RANKS: Final = ("null", "boolean", "number", "string", "array", "object", "set")
MIRRORED: Final = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"}
_HOLDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "equal": lambda left, right: left == right,
    "eq": lambda left, right: left == right,
    "neq": lambda left, right: left != right,
    "lt": lambda left, right: left < right,
    "lte": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
}
COMPARISONS: Final = frozenset(_HOLDS)
_TYPE_CHECKS: Final = {f"is_{name}": rank for rank, name in enumerate(_RANKS)}


def constant(term: Any) -> Any:
    """Return the rank of the term's type and its value if it is a constant; else MISSING."""
    kind, value = (term.get("type"), term.get("value")) if is_object(term) else (None, None)
    if kind in {"null", "boolean", "number", "string"}:
        return _RANKS.index(kind), value if kind != "null" else 0
    if kind in {"array", "set", "object"} and is_array(value):
        inner = [constant(each) if is_object(each) else tuple(map(constant, each)) for each in value]
        known = MISSING not in inner and not any(is_tuple_with_missing(each) for each in inner)
        return (_RANKS.index(kind), tuple(sorted(inner) if kind == "set" else inner)) if known else MISSING
    return MISSING


def is_tuple_with_missing(value: Any) -> bool:
    """Return whether a value is a key and value of an object, one of which is not a constant."""
    return isinstance(value, tuple) and MISSING in value


def holds(comparison: str, left: Any, right: Any) -> bool:
    """Return whether a comparison of two constants holds; False if one of them is not a constant."""
    if left is MISSING or right is MISSING or comparison not in _HOLDS:
        return False
    return _HOLDS[comparison](left, right)


def is_of_type(check: str, value: Any) -> bool:
    """Return whether a constant passes a type check such as `is_null`; False for everything else."""
    return value is not MISSING and _TYPE_CHECKS.get(check) == value[0]


def number(value: float) -> Any:
    """Return a number in the form that `constant` returns."""
    return _RANKS.index("number"), value
