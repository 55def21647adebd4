"""Properties of a presented JSON Schema without running it: its possible cost, and the names that it declares.

Rule 1: only references within the document, by JSON pointer or plain anchor, count; others lead nowhere.
Rule 2: a document that contains other documents is a `LookupError`, and one that nests deeper than `DEEPEST` is a
`RecursionError`. No search visits a subschema twice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeGuard
from urllib.parse import unquote

from gateway.protocol.json_pointers import unescaped

DEEPEST: Final = 100
_DEAREST: Final = 1 << 60

_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_HERE: Final = ("allOf", "anyOf", "oneOf", "if", "then", "else")
_HERE_BY_NAME: Final = ("dependentSchemas", "dependencies")
_ELEMENTS: Final = ("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains")
_MEMBERS: Final = ("additionalProperties", "unevaluatedProperties")

Part = Mapping[str, Any]


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a JSON value is an object."""
    return type(value) is dict


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Return whether a JSON value is an array."""
    return type(value) is list


class Schema:
    """A schema document; `cost` bounds how many subschemas one value can pass, recursion counted once."""

    def __init__(self, root: Any) -> None:
        """Store the document as it was presented."""
        self.root: Final = root
        self._anchors: Final = dict(_anchors(root, DEEPEST))
        self.cost: Final = cost_of(root, self._anchors)

    def here(self, parts: Sequence[Any]) -> list[Part]:
        """Return the subschemas that may judge the same value as `parts` do, themselves included."""
        found: dict[int, Part] = {}
        todo = list(parts)
        while todo:
            part = todo.pop()
            if is_object(part) and id(part) not in found:
                found[id(part)] = part
                todo += [*self._referenced(part), *_composed(part)]
        return list(found.values())

    def _referenced(self, part: Part) -> Iterator[Any]:
        return referenced(self.root, part, self._anchors)


def cost_of(root: Any, anchors: Mapping[str, Any]) -> int:
    """Return the most subschemas that one value can pass, without recursion: references may form long chains."""
    costs: dict[int, int] = {}
    todo: list[tuple[Any, bool]] = [(root, False)]
    while todo:
        part, is_done = todo.pop()
        if (not is_object(part) and not is_array(part)) or (not is_done and id(part) in costs):
            continue
        inner = [*inside(part), *(referenced(root, part, anchors) if is_object(part) else ())]
        if is_done:
            costs[id(part)] = min(1 + sum(costs.get(id(value), 0) for value in inner), _DEAREST)
        else:
            costs[id(part)] = 1
            todo.append((part, True))
            todo += ((value, False) for value in inner)
    return costs.get(id(root), 0)


def inside(value: object) -> Iterable[Any]:
    """Return the values directly inside a JSON value: none inside a scalar."""
    if is_object(value):
        return value.values()
    return value if is_array(value) else ()


def declared(parts: Sequence[Part]) -> set[str]:
    """Return the property names that the subschemas of one value declare."""
    names: set[str] = set()
    for part in parts:
        names.update(part["properties"] if is_object(part.get("properties")) else ())
        names.update(name for name in inside(part.get("required")) if type(name) is str)
    return names


def of_member(parts: Sequence[Part], name: str) -> list[Any]:
    """Return the subschemas that may judge the member `name`; every pattern counts, matching or not."""
    own = [part["properties"].get(name) for part in parts if is_object(part.get("properties"))]
    patterns = [part["patternProperties"] for part in parts if is_object(part.get("patternProperties"))]
    rest = [part.get(keyword) for part in parts for keyword in _MEMBERS]
    return [*own, *rest, *(inner for pattern in patterns for inner in pattern.values())]


def of_elements(parts: Sequence[Part]) -> list[Any]:
    """Return the subschemas that may judge an element of a list."""
    found = [part[keyword] for part in parts for keyword in _ELEMENTS if keyword in part]
    return [inner for value in found for inner in (value if is_array(value) else [value])]


def all_declared(root: Any) -> Iterator[str]:
    """Return every property name that a document declares anywhere; the result may contain more names."""
    todo = [root]
    while todo:
        part = todo.pop()
        yield from declared([part]) if is_object(part) else ()
        todo += inside(part)


def has_format(root: Any) -> bool:
    """Return whether a document has the keyword `format` anywhere."""
    todo = [root]
    while todo:
        part = todo.pop()
        if is_object(part) and type(part.get("format")) is str:
            return True
        todo += inside(part)
    return False


def _composed(part: Part) -> Iterator[Any]:
    for value in (part[keyword] for keyword in _HERE if keyword in part):
        yield from value if is_array(value) else [value]
    for value in (part[keyword] for keyword in _HERE_BY_NAME if is_object(part.get(keyword))):
        yield from value.values()


def _anchors(part: Any, room: int) -> Iterator[tuple[str, Any]]:
    """Return the plain anchors of a document; raise `LookupError` if it contains documents of its own."""
    if not room:
        raise RecursionError
    if is_object(part):
        if room < DEEPEST and type(part.get("$id")) is str:
            raise LookupError(part["$id"])
        yield from ((part[name], part) for name in ("$anchor", "$dynamicAnchor") if type(part.get(name)) is str)
    for value in inside(part):
        yield from _anchors(value, room - 1)


def referenced(root: Any, part: Part, anchors: Mapping[str, Any]) -> Iterator[Any]:
    """Return the references of a subschema; a property that is called `$ref` does not count."""
    for reference in (part[name] for name in _REFERENCES if type(part.get(name)) is str):
        anchor = reference.removeprefix("#")
        if not reference.startswith("#"):
            continue
        if anchor[:1] not in {"", "/"}:
            yield anchors.get(anchor)
            continue
        try:
            yield _pointed(root, anchor)
        except LookupError:
            continue


def _pointed(root: Any, pointer: str) -> Any:
    """Return the value at an RFC 6901 pointer; raise `LookupError` if there is none."""
    place = root
    for step in pointer.split("/")[1:]:
        name = unescaped(unquote(step))
        if is_array(place) and name.isdecimal():
            place = place[int(name)]
        elif is_object(place):
            place = place[name]
        else:
            raise LookupError(pointer)
    return place
