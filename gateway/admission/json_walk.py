"""Walks through JSON values that visit every object and array in Python, and scalars only at the speed of C.

Rule 1: nothing recurses; a list without objects and arrays costs a few nanoseconds an element.
"""

from collections.abc import Collection
from typing import Any, Final

_FEW: Final = 16
"""Number of values that are visited one by one."""


def is_node(value: object) -> bool:
    """Return whether a JSON value is an object or array."""
    return type(value) is dict or type(value) is list


def is_list(value: object) -> bool:
    """Return whether a JSON value is an array."""
    return type(value) is list


def has_nodes(value: list[Any]) -> bool:
    """Return whether an object or array is directly in a list."""
    kinds = set(map(type, value))
    return dict in kinds or list in kinds


def nodes(value: Any) -> list[Any]:
    """Return every object and array of a JSON value, itself included, level by level."""
    found: list[Any] = [value] if is_node(value) else []
    for node in found:  # the loop also visits what it appends
        if node:
            found += _nodes_in(node)
    return found


def depth(value: Any) -> int:
    """Return how deep a JSON value nests: 0 for a scalar, 1 for a flat object or list."""
    levels = 0
    here: list[Any] = [value] if is_node(value) else []
    while here:
        levels += 1
        below: list[Any] = []
        for node in here:
            if node:
                below += _nodes_in(node)
        here = below
    return levels


def size(value: Any) -> int:
    """Return how many values a JSON value holds at all depths, itself included."""
    return 1 + sum(map(len, nodes(value)))


def inner(node: Any) -> Collection[Any]:
    """Return the values directly inside an object or array."""
    return node if is_list(node) else node.values()


def _nodes_in(node: Any) -> list[Any]:
    values = inner(node)
    if len(values) > _FEW and dict not in (kinds := set(map(type, values))) and list not in kinds:
        return []
    return [value for value in values if type(value) is dict or type(value) is list]
