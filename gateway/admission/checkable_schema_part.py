"""The checkable part of a presented JSON Schema: a document of draft 2020-12 that accepts more, never less.

Rule 1: a keyword that cannot be used is left out and named, and so are keywords that depend on it
(`additionalProperties` without `properties`). A value that is not a subschema, in the place of one, becomes `true`.
Rule 2: if accepting more inside would accept less outside, the outer keyword is left out: the outermost `not`, `if`
(with `then` and `else`), `oneOf`, `contains` or dependency around it.
Rule 3: `unevaluatedProperties` and `unevaluatedItems` are left out if they depend on a left-out keyword that evaluates.
Rule 4: OpenAPI's `nullable: true` accepts null as well.
Rule 5: the work is bounded; a subschema beyond a bound becomes `true`, and is named.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct

from gateway.admission.schema_keywords import (
    ANTITONE,
    EVALUATING,
    IN_PLACE,
    LISTS,
    REFERENCES,
    draft_of,
)
from gateway.admission.schema_parts import Part, SchemaReader
from gateway.admission.schema_properties import is_array, is_object
from gateway.admission.schema_references import Place
from gateway.protocol.json_pointers import pointer_to

MOST_NAMED: Final = 20
"""Most keywords that are named one by one."""
MOST_KEPT: Final = 200
"""Most keywords that are kept for a report."""
_POINTER: Final = 200

_DEPENDING: Final = (
    ("if", ("then", "else")),
    ("minContains", ("contains",)),
    ("maxContains", ("contains",)),
    ("contains", ("minContains", "maxContains")),
    ("properties", ("additionalProperties",)),
    ("patternProperties", ("additionalProperties",)),
    ("prefixItems", ("items",)),
)
"""Keywords whose meaning changes if another one in the same subschema is left out."""


class Unchecked(Struct, frozen=True):
    """A keyword that is not checked: its place in the presented schema, and the reason why it is left out."""

    pointer: str
    why: str


class UsableSchema(Struct, frozen=True, kw_only=True):
    """The checkable part of a presented schema."""

    schema: Any
    """A document of draft 2020-12 whose references are all within it."""
    unchecked: tuple[Unchecked, ...] = ()
    targets: tuple[Place, ...] = ()
    """Places of the definitions of `schema` in the presented schema, in their order."""

    def presented(self, presented: Any, place: Place) -> Place:
        """Return the place of a keyword of `schema` in the presented schema, as far as it exists there."""
        rest, found = place, ()
        if place[:1] == ("$defs",) and len(place) > 1:
            rest, found = place[2:], self.targets[int(place[1])]
        value = presented
        for step in found:
            value = value[step]
        for step in rest:
            key = _as_written(value, step)
            found = (*found, key)
            value = _member(value, key)
        return found


def usable(presented: Any, is_pattern: Callable[[str], bool]) -> UsableSchema:
    """Return the checkable part of a presented schema; `is_pattern` decides whether a pattern can be run."""
    draft, unknown = draft_of(presented)
    root, parts = SchemaReader(presented, draft, is_pattern).read()
    _propagate(part for part in parts if part.is_loose)
    for part in parts:
        _leave_out_around(part)
        _leave_out_depending(part)
    _leave_out_unevaluated(parts)
    builder = _Builder(root)
    schema = builder.document()
    named = [Unchecked("/$schema", unknown)] if unknown else []
    return UsableSchema(
        schema=schema,
        unchecked=tuple(named + builder.unchecked),
        targets=tuple(part.place for part in builder.targets),
    )


def _propagate(loose: Iterator[Part]) -> None:
    """Mark every subschema that contains a loose one as loose, with the first cause."""
    todo = list(loose)
    for part in todo:
        for parent, _ in part.parents:
            if not parent.is_loose:
                parent.cause = part.cause
                todo.append(parent)


def _leave_out_around(part: Part) -> None:
    for child in part.children:
        if child.keyword in ANTITONE and child.part.is_loose:
            key = child.key if child.keyword.startswith("depend") else None
            part.leave_out(child.keyword, key, f"contains {child.part.cause}")


def _leave_out_depending(part: Part) -> None:
    for keyword, others in _DEPENDING:
        if any(left == keyword for left, _ in part.left_out):
            for other in others:
                if part.has(other):
                    part.leave_out(other, None, f"depends on `{part.written_at(keyword, None)[-1]}`, which is left out")


def _leave_out_unevaluated(parts: list[Part]) -> None:
    """Leave out `unevaluated*` in every subschema that depends on the evaluation of a left-out keyword."""
    todo = [part for part in parts if any(keyword in EVALUATING for keyword, _ in part.left_out)]
    seen = set(map(id, todo))
    for part in todo:
        for keyword in ("unevaluatedProperties", "unevaluatedItems"):
            if part.has(keyword):
                part.leave_out(keyword, None, "depends on keywords that are left out")
        for parent, keyword in part.parents:
            if keyword in IN_PLACE and id(parent) not in seen:
                seen.add(id(parent))
                todo.append(parent)


class _Builder:
    """Writer of the document, which collects left-out keywords on the way."""

    def __init__(self, root: Part) -> None:
        self._root: Final = root
        self._numbers: Final[dict[int, int]] = {}
        self.targets: Final[list[Part]] = []
        self.unchecked: Final[list[Unchecked]] = []

    def document(self) -> Any:
        """Return the whole document; definitions are written as they are referred to."""
        schema = self._written(self._root)
        definitions: dict[str, Any] = {}
        for number, target in enumerate(self.targets):
            definitions[str(number)] = self._written(target)
        if not definitions or not is_object(schema):
            return schema
        return {**schema, "$defs": definitions}

    def _schema(self, part: Part) -> Any:
        """Return a subschema in its place; a referenced one becomes a reference there as well."""
        return {"$ref": self._reference(part)} if part.is_target else self._written(part)

    def _written(self, part: Part) -> Any:
        if part.constant is not None:
            self._name(part)
            return part.constant
        written: dict[str, Any] = dict(part.plain)
        for keyword in [keyword for keyword, key in part.left_out if key is None]:
            written.pop(keyword, None)
        self._name(part)
        references: list[Any] = []
        for child in part.children:
            if (child.keyword, None) in part.left_out or (child.keyword, child.key) in part.left_out:
                continue
            if child.keyword in REFERENCES:
                references.append({"$ref": self._reference(child.part)})
            elif child.keyword in LISTS:
                written.setdefault(child.keyword, []).append(self._schema(child.part))
            elif child.key is not None:
                written.setdefault(child.keyword, {})[child.key] = self._schema(child.part)
            else:
                written[child.keyword] = self._schema(child.part)
        return _nullable(part, _referring(written, references))

    def _reference(self, target: Part) -> str:
        if target is self._root:
            return "#"
        if id(target) not in self._numbers:
            self._numbers[id(target)] = len(self.targets)
            self.targets.append(target)
        return f"#/$defs/{self._numbers[id(target)]}"

    def _name(self, part: Part) -> None:
        for (keyword, key), why in part.left_out.items():
            pointer = pointer_to(part.written_at(keyword, key))
            if len(self.unchecked) < MOST_KEPT:
                self.unchecked.append(Unchecked(pointer[:_POINTER], why))


def _referring(written: dict[str, Any], references: list[Any]) -> dict[str, Any]:
    if not references:
        return written
    if len(references) == 1:
        return {**references[0], **written}
    return {**written, "allOf": [*written.get("allOf", []), *references]}


def _nullable(part: Part, written: dict[str, Any]) -> dict[str, Any]:
    """Return a subschema that accepts null as well (Rule 4)."""
    if not part.is_nullable:
        return written
    if set(written) & {"const", "not", *(keyword for keyword in IN_PLACE if not keyword.startswith("depend"))}:
        return {"anyOf": [{"type": "null"}, written]}
    types = written.get("type")
    names = [types] if isinstance(types, str) else types
    wider: dict[str, Any] = {"type": [*names, "null"]} if names and "null" not in names else {}
    values = written.get("enum")
    return {**written, **wider, **({"enum": [*values, None]} if values and None not in values else {})}


def _as_written(value: Any, step: str | int) -> str | int:
    """Return the key in a presented subschema: earlier drafts spell lists of items differently."""
    if not is_object(value):
        return step
    key = str(step)
    if key == "prefixItems" and key not in value:
        return "items"
    return "additionalItems" if key == "items" and is_array(value.get("items")) else key


def _member(value: Any, key: str | int) -> Any:
    if is_object(value):
        return value.get(str(key))
    return value[key] if is_array(value) and isinstance(key, int) and key < len(value) else None
