"""The mutation operators for Rego: each one models one kind of mistake that a person could make.

Rule 1: an operator examines one node of the syntax tree and proposes edits; it does not depend on tests.
Rule 2: every proposed edit can compile: a declaration of a variable is never removed.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_array, is_object, objects
from gateway.authoring.mutation.rego_source import RegoText, Span
from gateway.policy.rego.rego_ast import operator

MOST_OF_A_SET: Final = 16
"""The largest literal in which each element is removed; in a larger one, only the first, middle and last are."""
_SWAPS: Final[Mapping[str, tuple[str, ...]]] = {
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
}
_OPPOSITE: Final[Mapping[str, str]] = {"true": "false", "false": "true"}
_OF_SETS: Final = frozenset({"or", "and"})


class Edit(Struct, frozen=True):
    """A span of the file, its replacement, and the kind of the change."""

    span: Span
    now: str
    kind: str


Node = Mapping[str, Any]
Operator = Callable[[Node, RegoText], Iterator[Edit]]


def _expression(node: Node, source: RegoText) -> Span | None:
    """Return the span of an expression that is not generated, does not declare a variable and has no `with`."""
    if "index" not in node or "terms" not in node or "generated" in node or "with" in node:
        return None
    declares = operator(node) == "assign" or (is_object(node["terms"]) and "symbols" in node["terms"])
    return None if declares else source.span(node)


def deleted(node: Node, source: RegoText) -> Iterator[Edit]:
    """Replace the expression by `true`."""
    span = _expression(node, source)
    if span is not None:
        yield Edit(span, "true", "deletion")


def negated(node: Node, source: RegoText) -> Iterator[Edit]:
    """Negate the expression, unless it is `every`."""
    span = _expression(node, source)
    if span is None or (is_object(node["terms"]) and "domain" in node["terms"]):
        return
    said = source.of(span)
    yield Edit(span, said.removeprefix("not ").lstrip() if node.get("negated") else f"not {said}", "negation")


def silenced(node: Node, source: RegoText) -> Iterator[Edit]:
    """Make the clause of a rule never hold; remove a clause without a body."""
    body = objects(node.get("body"))
    if "head" not in node or not body:
        return
    if body[0].get("generated"):
        span = None if "else" in node else source.span(node)
        if span is not None:
            yield Edit(span, "", "clause")
        return
    span = source.span(body[0])
    if span is not None:
        yield Edit(span, "false" if len(body) == 1 else f"false; {source.of(span)}", "clause")


def swapped(node: Node, source: RegoText) -> Iterator[Edit]:
    """Replace the comparison operator by others."""
    span = source.span(node) if node.get("type") == "ref" else None
    if span is not None:
        yield from (Edit(span, now, "comparison") for now in _SWAPS.get(source.of(span), ()))


def shifted(node: Node, source: RegoText) -> Iterator[Edit]:
    """Change the whole number by one, up and down."""
    span = source.span(node) if node.get("type") == "number" else None
    if span is not None and source.of(span).isdecimal():
        yield from (Edit(span, str(int(source.of(span)) + step), "number") for step in (-1, 1))


def flipped(node: Node, source: RegoText) -> Iterator[Edit]:
    """Replace the truth value by the other one."""
    span = source.span(node) if node.get("type") == "boolean" else None
    if span is not None and source.of(span) in _OPPOSITE:
        yield Edit(span, _OPPOSITE[source.of(span)], "constant")


def shortened(node: Node, source: RegoText) -> Iterator[Edit]:
    """Remove one string from the literal set or array."""
    if node.get("type") not in {"set", "array"}:
        return
    words = [each for each in objects(node.get("value")) if each.get("type") == "string"]
    spans = sorted(span for each in words if (span := source.span(each)) is not None)
    if len(spans) > MOST_OF_A_SET:
        spans = [spans[0], spans[len(spans) // 2], spans[-1]]
    if len(spans) == 1 and len(objects(node["value"])) == 1:
        whole = source.span(node)
        if whole is not None:
            yield Edit(whole, "set()" if node["type"] == "set" else "[]", "element")
        return
    yield from (Edit(source.with_comma(span), "", "element") for span in spans)


def halved(node: Node, source: RegoText) -> Iterator[Edit]:
    """Replace a union or an intersection by one of its sides."""
    terms: list[Json] = objects(node.get("terms") or node.get("value")) if operator(node) in _OF_SETS else []
    whole = source.span(node)
    if whole is not None and len(terms) == 3 and is_array(node.get("terms") or node.get("value")):  # noqa: PLR2004
        sides = [source.span(term) for term in terms[1:]]
        yield from (Edit(whole, source.of(side), "operand") for side in sides if side is not None)


OPERATORS: Final[tuple[Operator, ...]] = (
    deleted,
    negated,
    silenced,
    swapped,
    shifted,
    flipped,
    shortened,
    halved,
)
