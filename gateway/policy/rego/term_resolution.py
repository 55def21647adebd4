"""Resolve the terms of own rules: replace local names, parameters and imports by their values.

Rule 1: a place is a dotted path from `input` or `data`. It ends before the first variable part (`[]`).
Rule 2: a term that cannot be followed exactly (a destructured array, a recursion too deep) is left unresolved.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_array, is_object, objects
from gateway.policy.rego.constant_comparisons import MISSING, constant
from gateway.policy.rego.rego_ast import dotted, operator
from gateway.policy.rego.rego_module import Module, row
from gateway.policy.rego.staged_requirements import head_name

COMPREHENSIONS: Final = frozenset({"setcomprehension", "arraycomprehension", "objectcomprehension"})
_OF_COLLECTIONS: Final = frozenset({"count", "sum", "and", "or", "minus", "sort", "intersection", "union"})
_ASSIGNING: Final = frozenset({"assign", "eq", "equal"})
_FOLLOWED: Final = 8
"""The largest number of local names that are followed from one to the next."""

Names = Mapping[str, Json]
"""Local names and parameters, each with its term; the term does not contain local names."""


class OwnRule(Struct, frozen=True):
    """A rule and its file."""

    module: Module
    rule: Json

    @property
    def branches(self) -> Iterator[tuple[Json, list[Json]]]:
        """The head and the body of the rule and of each of its `else`; the body `true` is empty."""
        branch: Json | None = self.rule
        while branch:
            yield branch["head"], [each for each in objects(branch["body"]) if not _is_true(each)]
            branch = branch.get("else")

    @property
    def is_collection(self) -> bool:
        """True for `contains`, and for a rule that defines an object key by key."""
        head = self.rule["head"]
        return head.get("args") is None and (head.get("key") is not None or len(head.get("ref", [])) > 1)

    @property
    def name(self) -> str:
        """The name of the rule."""
        return head_name(self.rule)

    @property
    def where(self) -> str:
        """The file and the line of the rule."""
        return f"{self.module.path}:{row(self.rule)}"

    @property
    def fallback(self) -> Any:
        """The constant value of the rule if none of its conditions hold; MISSING if there is none."""
        branches = list(self.branches)
        head, body = branches[-1]
        unconditional = not body and (self.rule.get("default") or len(branches) > 1)
        return constant(head.get("value")) if unconditional else MISSING

    def given(self, arguments: Iterable[Json]) -> dict[str, Json]:
        """Return the parameters of a function with the arguments of a call."""
        parameters = objects(self.rule["head"].get("args"))
        return {str(each["value"]): term for each, term in zip(parameters, arguments, strict=False) if _is_name(each)}


class TermUse(Struct, frozen=True):
    """One use inside a term: a reference by its path, a call with its arguments, or a comprehension."""

    path: str = ""
    arguments: list[Json] = []
    comprehension: Json | None = None
    node: Json | None = None

    def is_of(self, term: Json) -> bool:
        """Return whether the term is the use itself, not a term around it."""
        return self.node is term


def _is_name(term: Json) -> bool:
    return term.get("type") == "var"


def _is_true(expression: Json) -> bool:
    terms = expression.get("terms")
    return is_object(terms) and terms.get("value") is True


class Rules:
    """The rules of the author's modules by their paths."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self._by_path: dict[str, list[OwnRule]] = {}
        for module in modules:
            for rule in module.rules:
                path = f"data.{module.package}.{head_name(rule)}"
                self._by_path.setdefault(path, []).append(OwnRule(module, rule))

    def named(self, path: str) -> list[OwnRule]:
        """Return the rules that a path leads to or into; empty if there are none."""
        path = path.partition("[]")[0]
        while path:
            if path in self._by_path:
                return self._by_path[path]
            path = path.rpartition(".")[0]
        return []

    def collects(self, term: Any) -> bool:
        """Return whether a term is a computed collection, or a count, union, intersection or the like of one."""
        if operator(term) in _OF_COLLECTIONS:
            return any(self.collects(each) for each in term["value"][1:])
        own = self._by_path.get(place(term), [])
        return is_object(term) and (term.get("type") in COMPREHENSIONS or any(each.is_collection for each in own))

    def resolved(self, module: Module, term: Any) -> Any:
        """Return a term with imports and rules of the same package replaced by references from `data` or `input`."""
        if is_array(term):
            return [self.resolved(module, each) for each in term]
        if not is_object(term):
            return term
        if term.get("type") == "var":
            return self._global(module, str(term["value"])) or term
        if term.get("type") == "ref" and term["value"][0].get("type") == "var":
            first, *rest = term["value"]
            start = self._global(module, str(first["value"]))
            parts = start["value"] if start else [first]
            return {**term, "value": [*parts, *(self.resolved(module, each) for each in rest)]}
        return {key: self.resolved(module, value) if key != "location" else value for key, value in term.items()}

    def _global(self, module: Module, name: str) -> Json | None:
        own = f"data.{module.package}.{name}"
        path = module.imports.get(name) or (own if own in self._by_path else "")
        return reference(path) if path else None


def reference(path: str) -> Json:
    """Return the reference that a dotted path names."""
    first, *rest = path.split(".")
    return {
        "type": "ref",
        "value": [{"type": "var", "value": first}, *({"type": "string", "value": each} for each in rest)],
    }


def names_of(body: Iterable[Json], outer: Names) -> dict[str, Json]:
    """Return the local names of a body with their terms, in addition to the outer ones."""
    found: dict[str, Json] = {**outer}
    for _ in range(_FOLLOWED):
        before = dict(found)
        for expression in body:
            if not expression.get("negated"):
                found |= {
                    name: replaced(term, found)
                    for name, term in _bound(expression)
                    if name not in found and not name.startswith("$")
                }
        if found == before:
            break
    return found


def _bound(expression: Json) -> Iterator[tuple[str, Json]]:
    """Yield the names that an expression binds: by assignment, as an element of a collection, by `walk`."""
    terms = expression.get("terms")
    if is_object(terms):
        for symbol in objects(terms.get("symbols")):
            if symbol.get("type") == "call":
                *variables, collection = symbol["value"][1:]
                yield from _elements(variables, collection)
        if "domain" in terms:
            yield from _elements([terms["value"]], terms["domain"])
    elif operator(expression) in _ASSIGNING and is_array(terms) and terms[1].get("type") == "var":
        yield str(terms[1]["value"]), terms[2]
    elif operator(expression) == "walk" and is_array(terms) and is_array(terms[-1].get("value")):
        yield from _elements(terms[-1]["value"], terms[1])


def _elements(variables: Iterable[Json], collection: Json) -> Iterator[tuple[str, Json]]:
    if collection.get("type") in {"ref", "var"}:
        parts = collection["value"] if collection["type"] == "ref" else [collection]
        for variable in variables:
            if variable.get("type") == "var":
                yield (
                    str(variable["value"]),
                    {"type": "ref", "value": [*parts, {"type": "var", "value": "$"}]},
                )


def replaced(term: Any, names: Names) -> Any:
    """Return a term with the names replaced by their terms."""
    if is_array(term):
        return [replaced(each, names) for each in term]
    if not is_object(term):
        return term
    if term.get("type") == "var":
        return names.get(str(term["value"]), term)
    if term.get("type") == "ref" and term["value"][0].get("type") == "var":
        first, *rest = term["value"]
        start = names.get(str(first["value"]), first)
        inside = [replaced(each, names) for each in rest]
        if start.get("type") == "ref":
            return {**term, "value": [*start["value"], *inside]}
        return {**term, "value": [start, *inside]} if inside else start
    return {key: replaced(value, names) if key != "location" else value for key, value in term.items()}


def place(term: Any) -> str:
    """Return the dotted path of a reference up to its first variable part; empty for other terms."""
    path = dotted(term, {}).partition("[]")[0]
    return path if path.startswith(("input.", "data.")) else ""


def term_of(expression: Json) -> Any:
    """Return an expression as one term: a call if it has an operator or a function."""
    terms = expression.get("terms")
    return {"type": "call", "value": terms} if is_array(terms) else terms


def as_call(expression: Json) -> Json:
    """Return an expression whose only term is a call in the written form of a call."""
    terms = expression.get("terms")
    if is_object(terms) and terms.get("type") == "call":
        return {**expression, "terms": terms["value"]}
    return expression


def uses(node: Any) -> Iterator[TermUse]:
    """Yield the uses in a term, outer ones first, without those inside comprehensions."""
    if is_array(node):
        for each in node:
            yield from uses(each)
    elif is_object(node):
        if node.get("type") in COMPREHENSIONS:
            yield TermUse(comprehension=node["value"], node=node)
        elif node.get("type") == "call":
            function, *arguments = node["value"]
            yield TermUse(place(function), arguments, node=node)
            yield from uses(arguments)
        elif node.get("type") == "ref":
            yield TermUse(place(node), node=node)
            yield from uses([each for each in node["value"] if each is not node["value"][0] or not _is_name(each)])
        elif "terms" in node:
            yield from uses(term_of(node))
        else:
            yield from (use for key, value in node.items() if key != "location" for use in uses(value))
