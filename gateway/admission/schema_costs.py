"""An upper bound of the time that the validator needs for arguments, computed before it runs.

Rule 1: a step is about 10 ns on one core of 2024. The weights of keywords were measured and rounded up.
Rule 2: a subschema is charged only to the values that it may judge. One value is charged with the subschemas in its
place, with the most expensive one of all members, and with recursion once, because the validator caches its verdicts.
Rule 3: the parts of arguments that cost more than usual are counted separately: nodes, integers, other numbers and
characters.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from msgspec import Struct

from gateway.admission.json_walk import inner, is_list, nodes, size
from gateway.admission.schema_properties import is_array, is_object, referenced

_PLACE: Final = ("not", "if", "then", "else")
_PLACES: Final = ("allOf", "anyOf", "oneOf")
_LIMITS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_OPTIONS: Final = frozenset({"enum", "const"})
_OF_NODES: Final = _OPTIONS | {"required", "dependentRequired", "uniqueItems"}
_OF_NUMBERS: Final = _OPTIONS | set(_LIMITS)
_OF_CHARS: Final = frozenset({"pattern", "patternProperties", "format"})
_LEADING: Final = frozenset(
    {
        *_PLACE,
        *_PLACES,
        "$dynamicRef",
        "$ref",
        "additionalProperties",
        "contains",
        "dependentSchemas",
        "items",
        "patternProperties",
        "prefixItems",
        "properties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords that lead to further subschemas."""
_DEAREST: Final = 1 << 60
_LONG: Final = re.compile(r"\{(\d+,)?\d{3}\}")
_LONGEST: Final = re.compile(r"\{(\d+,)?\d{4,}\}")
"""Repetition counts that may be too high for the fast automaton of a pattern; a plain pattern takes 2 ns a
character."""


class Extent(Struct, frozen=True, kw_only=True):
    """The extent of arguments, or the cost of a subschema for each unit of extent."""

    values: int = 0
    nodes: int = 0
    integers: int = 0
    floats: int = 0
    chars: int = 0


def steps_of(cost: Extent, value: Any, enough: int) -> int:
    """Return a bound of the steps that a value takes by a schema of this cost; a rough one if it is conclusive.

    It is conclusive if its lower limit is above `enough`, or its upper limit is not.
    """
    count = size(value)
    least = cost.values * count
    most = least + cost.nodes * (count + 1) + max(cost.integers, cost.floats) * count  # one more node, as in `extent`
    if least > enough or (most <= enough and not cost.chars):
        return max(least, most)
    found = extent(value)
    numbers = cost.integers * found.integers + cost.floats * found.floats
    return least + cost.nodes * found.nodes + numbers + cost.chars * found.chars


def extent(value: Any) -> Extent:
    """Return the extent of a JSON value."""
    count = integers = floats = chars = 0
    for node in chain(nodes(value), [[value]]):
        count += 1
        scalars = inner(node)
        kinds = list(map(type, scalars))
        integers += kinds.count(int)
        floats += kinds.count(float)
        chars += sum([len(text) for text in scalars if type(text) is str]) if str in kinds else 0
        chars += 0 if is_list(node) else sum(map(len, node))
    return Extent(values=size(value), nodes=count, integers=integers, floats=floats, chars=chars)


def cost_by_value(root: Any) -> Extent:
    """Return the highest cost of a usable schema for any one value."""
    order = _children_first(root)
    return Extent(
        values=_most(root, order, _per_value),
        nodes=_most(root, order, _per_node),
        integers=_most(root, order, _per_integer),
        floats=_most(root, order, _per_float),
        chars=_most(root, order, _per_char),
    )


class _Node(Struct):
    """A subschema, with the subschemas that follow from it."""

    part: Mapping[str, Any]
    here: Sequence[Any] = ()
    """Subschemas that judge the same value."""
    members: tuple[Sequence[Any], Sequence[Any]] = ((), ())
    """Groups of subschemas: one of the first judges a member, and the second judge it in addition."""
    elements: tuple[Sequence[Any], Sequence[Any]] = ((), ())


def _children_first(root: Any) -> list[_Node]:
    """Return every reached subschema, after the ones that it leads to, except for recursion."""
    seen: set[int] = set()
    found: list[_Node] = []
    todo: list[_Node | Any] = [root]
    while todo:
        part = todo.pop()
        if isinstance(part, _Node):
            found.append(part)
        elif is_object(part) and id(part) not in seen:
            seen.add(id(part))
            node = _node(root, part)
            todo.append(node)
            todo += chain(node.here, *node.members, *node.elements)
    return found


def _node(root: Any, part: dict[str, Any]) -> _Node:
    if _LEADING.isdisjoint(part):
        return _Node(part=part)
    here = [part[keyword] for keyword in _PLACE if keyword in part]
    here += chain.from_iterable(part[keyword] for keyword in _PLACES if is_array(part.get(keyword)))
    here += [*_values(part, "dependentSchemas"), *referenced(root, part, {})]
    return _Node(
        part=part,
        here=here,
        members=(
            [*_values(part, "properties"), part.get("additionalProperties")],
            [*_values(part, "patternProperties"), part.get("unevaluatedProperties"), part.get("propertyNames")],
        ),
        elements=(
            [*_listed(part, "prefixItems"), part.get("items")],
            [part.get("contains"), part.get("unevaluatedItems")],
        ),
    )


def _most(root: Any, order: list[_Node], weigh: Callable[[Mapping[str, Any]], int]) -> int:
    """Return the greatest sum of weights for one value."""
    here: dict[int, int] = {}
    below: dict[int, int] = {}
    greatest: dict[int, int] = {}
    for node in order:
        if not (node.here or any(node.members) or any(node.elements)):
            here[id(node.part)] = greatest[id(node.part)] = weigh(node.part)
            continue
        same = sum(here.get(id(part), 0) for part in node.here)
        here[id(node.part)] = min(weigh(node.part) + same, _DEAREST)
        inside = max(_inside(greatest, *node.members), _inside(greatest, *node.elements))
        below[id(node.part)] = min(inside + sum(below.get(id(part), 0) for part in node.here), _DEAREST)
        greatest[id(node.part)] = max(here[id(node.part)], below[id(node.part)])
    return greatest.get(id(root), 0)


def _inside(greatest: Mapping[int, int], one_of: Sequence[Any], all_of: Sequence[Any]) -> int:
    one = max((greatest.get(id(part), 0) for part in one_of), default=0)
    return one + sum(greatest.get(id(part), 0) for part in all_of)


def _per_value(part: Mapping[str, Any]) -> int:
    mixed = 0 if all(type(option) is str for option in _options(part)) else len(_options(part))
    rare = 20 * sum(keyword in part for keyword in ("format", "unevaluatedProperties", "unevaluatedItems"))
    common = 10 * sum(keyword in part for keyword in ("pattern", "uniqueItems", "propertyNames"))
    return 3 * (len(part) + mixed) + rare + common + 5 * len(_values(part, "patternProperties"))


def _per_node(part: Mapping[str, Any]) -> int:
    if _OF_NODES.isdisjoint(part):
        return 0
    needed = chain(_listed(part, "required"), *map(_texts, _values(part, "dependentRequired")))
    options = sum(size(option) for option in _options(part) if is_object(option) or is_array(option))
    return 3 * sum(1 for _ in needed) + 80 * options + (60 if part.get("uniqueItems") is True else 0)


def _per_integer(part: Mapping[str, Any]) -> int:
    if _OF_NUMBERS.isdisjoint(part):
        return 0
    kinds = list(map(type, _options(part)))
    plain = len(kinds) if "enum" in part and set(kinds) == {int} else 65 * kinds.count(int)
    limits = sum(100 if type(limit) is float else 3 for limit in _limits(part))
    return plain + 220 * kinds.count(float) + limits + (100 if "multipleOf" in part else 0)


def _per_float(part: Mapping[str, Any]) -> int:
    if _OF_NUMBERS.isdisjoint(part):
        return 0
    kinds = list(map(type, _options(part)))
    limits = sum(400 if type(limit) is float else 15 for limit in _limits(part))
    return 220 * kinds.count(int) + 400 * kinds.count(float) + limits + (400 if "multipleOf" in part else 0)


def _per_char(part: Mapping[str, Any]) -> int:
    if _OF_CHARS.isdisjoint(part):
        return 0
    patterns = [*_values_by_pattern(part), *([str(part["pattern"])] if "pattern" in part else ())]
    return sum(map(_of_pattern, patterns)) + ("format" in part)


def _of_pattern(pattern: str) -> int:
    return 8 if _LONGEST.search(pattern) else 2 if _LONG.search(pattern) else 1


def _limits(part: Mapping[str, Any]) -> list[Any]:
    return [part[keyword] for keyword in _LIMITS if keyword in part]


def _options(part: Mapping[str, Any]) -> list[Any]:
    """Return the values of `enum` and `const`."""
    return [*_listed(part, "enum"), *([part["const"]] if "const" in part else ())]


def _values(part: Mapping[str, Any], keyword: str) -> list[Any]:
    found = part.get(keyword)
    return list(found.values()) if is_object(found) else []


def _values_by_pattern(part: Mapping[str, Any]) -> Iterator[str]:
    found = part.get("patternProperties")
    return iter(found if is_object(found) else ())


def _listed(part: Mapping[str, Any], keyword: str) -> list[Any]:
    return _texts(part.get(keyword))


def _texts(value: object) -> list[Any]:
    return value if is_array(value) else []
