"""Find literals in policies that are compared with a field that can never have that value (DESIGN section 3).

Rule 1: OPA's type checker knows that a field is a string, but not its possible values. This check knows them.
Rule 2: the values come from the types of the policy input and from the vocabulary of `mcp.lib.call`.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from gateway.artifact.json_narrowing import Json, is_array, is_object, objects
from gateway.policy.rego.input_schema import input_schema
from gateway.policy.rego.rego_ast import dotted, operator
from gateway.policy.rego.rego_module import Module, row, walk
from gateway.policy.sources.problem import Problem

ACTIONS: Final = frozenset({"read", "write", "delete", "send", "execute", "list", "unknown"})
_WEEKDAYS: Final = frozenset({"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"})
_LIBRARY: Final[Mapping[str, frozenset[str]]] = {
    "data.mcp.lib.call.action": ACTIONS,
    "data.mcp.lib.call.action_source": frozenset({"catalog", "annotation", "default"}),
    "data.mcp.lib.call.pin": frozenset({"match", "drift", "unpinned", "unseen"}),
    "data.mcp.lib.call.server.trust": frozenset({"low", "medium", "high"}),
    "input.context.time.weekday": _WEEKDAYS,
}
_FUNCTIONS: Final[Mapping[str, frozenset[str]]] = {"data.mcp.lib.call.may": ACTIONS}
_COMPARING: Final = frozenset({"equal", "eq", "neq", "internal.member_2"})


@lru_cache
def vocabulary() -> Mapping[str, frozenset[str]]:
    """Return dotted path -> its only possible values."""
    return {**dict(_enums(input_schema(), "input")), **_LIBRARY}


def _enums(node: Json, path: str) -> Iterator[tuple[str, frozenset[str]]]:
    if "enum" in node:
        yield path, frozenset(node["enum"])
    for name, inner in node.get("properties", {}).items():
        yield from _enums(inner, f"{path}.{name}")
    if "items" in node:
        yield from _enums(node["items"], f"{path}[]")


def impossible(module: Module) -> Iterator[Problem]:
    """Yield a problem for each literal that is compared with a place that never has that value."""
    imports = module.imports
    for node in walk(module.rules):
        if is_array(node.get("terms")) or node.get("type") == "call":
            for path, words, literal in _comparisons(node, imports):
                if literal["value"] not in words:
                    remedy = f"Its values are {', '.join(sorted(words))}."
                    place = row(literal) or row(node)
                    yield Problem(module.path, place, f"`{path}` is never `{literal['value']}`.", remedy)


def _comparisons(node: Mapping[str, Any], imports: Mapping[str, str]) -> Iterator[tuple[str, frozenset[str], Json]]:
    terms: list[Any] = node.get("terms") or node["value"]
    function = dotted(terms[0], imports)
    if function in _FUNCTIONS:
        yield from ((function, _FUNCTIONS[function], literal) for term in terms[1:] for literal in _strings(term))
    if operator(node) in _COMPARING:
        paths = [path for term in terms[1:] if (path := dotted(term, imports)) in vocabulary()]
        for path in paths:
            for term in terms[1:]:
                yield from ((path, vocabulary()[path], literal) for literal in _strings(term))


def _strings(term: Any) -> list[Json]:
    if not is_object(term):
        return []
    if term.get("type") in {"set", "array"}:
        return [literal for each in objects(term["value"]) for literal in _strings(each)]
    return [term] if term.get("type") == "string" else []
