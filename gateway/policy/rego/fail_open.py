"""Find own requirements that permit because something is missing, by following the author's rules from `met`.

Rule 1: if success permits, no expression may succeed only because its input is missing or of another type. Such
expressions are negations, empty sets, defaults, and comparisons that hold for other types.
Rule 2: a place that the same body also requires is known to exist. Arguments, claims and own data also need a type.
Rule 3: a negation inverts the meaning: a failure inside it permits.
Rule 4: helpers, functions and own packages are followed with their arguments. The stock library is known by name.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_array, is_object, objects
from gateway.policy.rego.body_demands import BodyDemands, collection, demands_of, is_certain, is_untyped
from gateway.policy.rego.constant_comparisons import COMPARISONS, MIRRORED, MISSING, constant, holds, is_of_type, number
from gateway.policy.rego.rego_ast import operator
from gateway.policy.rego.rego_module import Module, row
from gateway.policy.rego.staged_requirements import RequirementDirectory
from gateway.policy.rego.term_resolution import (
    Names,
    OwnRule,
    Rules,
    as_call,
    names_of,
    place,
    replaced,
    term_of,
    uses,
)
from gateway.policy.sources.problem import Problem

_JUDGING: Final = ("met", "met_by_arguments")
_ZERO_FOR_NOTHING: Final = frozenset({"count", "sum"})
_EQUAL: Final = frozenset({"equal", "eq"})
_BINDING: Final = frozenset({"assign", "eq"})
_ORDERED: Final = frozenset({"lt", "lte", "gt", "gte"})
_DEEPEST: Final = 12


class _At(Struct, frozen=True):
    """The position of an expression, and the known names and demands there."""

    module: Module
    names: Names
    demands: BodyDemands
    depth: int = 0


def fail_open(found: Iterable[RequirementDirectory], own: Iterable[Module]) -> list[Problem]:
    """Return a problem for each line in the author's requirements that permits because something is missing."""
    modules = [module for module in own if not module.is_test]
    paths = {module.path for module in modules}
    judging = [each for each in found if each.place in paths]
    following = _Following(Rules(modules))
    problems: dict[tuple[str, int], Problem] = {}
    for each in judging:
        for name in _JUDGING:
            for module, rule in each.rules(name):
                for problem in following.permits(OwnRule(module, rule), _At(module, {}, BodyDemands())):
                    problems.setdefault((problem.file, problem.line), problem)
    return list(problems.values())


class _Following:
    """A traversal of the author's rules."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._followed: set[tuple[int, str, BodyDemands]] = set()

    def permits(self, own: OwnRule, at: _At) -> Iterator[Problem]:
        """Yield the problems in a rule whose success permits."""
        key = (id(own.rule), repr(sorted((name, place(term)) for name, term in at.names.items())), at.demands)
        if at.depth > _DEEPEST or key in self._followed:
            return
        self._followed.add(key)
        for head, body in own.branches:
            given = {"terms": head.get("value"), "location": own.rule.get("location", {})}
            yield from self._body([*body, given], _At(own.module, at.names, at.demands, at.depth + 1))

    def _body(self, body: list[Json], at: _At) -> Iterator[Problem]:
        names, meant = self._meant(at.module, body, at.names)
        inner = _At(at.module, names, at.demands | demands_of(meant, self._rules), at.depth)
        for expression, written in zip(meant, body, strict=True):
            yield from self._expression(expression, row(written), inner)

    def _meant(self, module: Module, body: list[Json], outer: Names) -> tuple[Names, list[Json]]:
        """Return the names of a body, and its expressions with the names replaced by their terms."""
        resolved = [self._rules.resolved(module, each) for each in body]
        names = names_of(resolved, outer)
        return names, [as_call(replaced(each, names)) for each in resolved]

    def _expression(self, expression: Json, line: int, at: _At) -> Iterator[Problem]:
        if expression.get("negated"):
            yield from self._negation(expression, line, at)
            return
        terms = expression.get("terms")
        if is_object(terms) and "domain" in terms:
            domain = terms["domain"]
            if self._rules.collects(domain) and collection(domain) not in at.demands.filled:
                said, remedy = _OF_NOTHING
                yield from self._open(self._lacking(domain, at), line, at, said, remedy)
            yield from self._used(domain, at)
            yield from self._body(objects(terms["body"]), at)
            return
        nothing = self._nothing(expression, at)
        if nothing is not None:
            said, remedy = _OF_NOTHING
            yield from self._open(self._lacking(nothing, at), line, at, said, remedy)
            return
        yield from self._defaults(expression, line, at)
        yield from _other_types(expression, line, at)
        yield from self._used(term_of(expression), at)

    def _used(self, term: Any, at: _At) -> Iterator[Problem]:
        """Yield the problems in the rules and comprehensions that a term uses."""
        for use in uses(term):
            if use.comprehension is not None:
                inside = _At(at.module, at.names, at.demands, at.depth + 1)
                yield from self._body(objects(use.comprehension["body"]), inside)
            for own in self._rules.named(use.path):
                yield from self.permits(own, _At(own.module, own.given(use.arguments), at.demands, at.depth))

    def _negation(self, expression: Json, line: int, at: _At) -> Iterator[Problem]:
        inner = {**expression, "negated": False}
        nothing = self._nothing(inner, at)
        if nothing is not None:
            yield from self._used(nothing, at)
            return
        yield from self._defaults(expression, line, at)
        if not any(is_met for is_met, _ in self._fallback_truths(inner)):
            said, remedy = _OF_NEGATION
            lacking = [each for each in self._lacking(term_of(inner), at) if each not in _demanded_by_opa(inner)]
            yield from self._open(lacking, line, at, said, remedy)
            yield from self._inside(term_of(inner), at)

    def _inside(self, term: Any, at: _At) -> Iterator[Problem]:
        """Yield the problems in negations inside rules whose failure permits: a double negation permits."""
        for use in uses(term):
            called = self._rules.named(use.path)
            bodies: list[tuple[Module, list[Json], Names]] = [
                (own.module, body, own.given(use.arguments)) for own in called for _, body in own.branches
            ]
            if use.comprehension is not None:
                bodies.append((at.module, objects(use.comprehension["body"]), at.names))
            for module, body, given in bodies:
                if at.depth <= _DEEPEST:
                    yield from self._turned(module, body, _At(module, given, at.demands, at.depth + 1))

    def _turned(self, module: Module, body: list[Json], at: _At) -> Iterator[Problem]:
        names, meant = self._meant(module, body, at.names)
        inner = _At(module, names, at.demands, at.depth)
        for expression, written in zip(meant, body, strict=True):
            if expression.get("negated"):
                yield from self._expression({**expression, "negated": False}, row(written), inner)
            else:
                yield from self._inside(term_of(expression), inner)

    def _lacking(self, term: Any, at: _At) -> list[str]:
        """Return the places whose absence makes a term fail and that the other expressions do not require."""
        found: dict[str, None] = {}
        self._collect(term, found, 0)
        return [path for path in found if not at.demands.cover(path)]

    def _collect(self, term: Any, found: dict[str, None], depth: int) -> None:
        for use in uses(term):
            own = self._rules.named(use.path)
            if use.comprehension is not None:
                self._collect_body(objects(use.comprehension["body"]), found, depth)
            elif own:
                if depth <= _DEEPEST:
                    for each in own:
                        for head, body in each.branches:
                            given = [*body, {"terms": head.get("value")}]
                            _, meant = self._meant(each.module, given, each.given(use.arguments))
                            self._collect_body(meant, found, depth + 1)
            elif use.path and not is_certain(use.path):
                found.setdefault(use.path)

    def _collect_body(self, body: list[Json], found: dict[str, None], depth: int) -> None:
        for expression in body:
            if not expression.get("negated"):
                self._collect(term_of(expression), found, depth)

    def _open(self, places: list[str], line: int, at: _At, said: str, remedy: str) -> Iterator[Problem]:
        if places:
            named = ", ".join(f"`{_shown(each)}`" for each in places[:3])
            first = places[0]
            check = f"is_string({_shown(first)})" if is_untyped(first) else _shown(first)
            yield Problem(at.module.path, line, said.format(named), remedy.format(check))

    def _nothing(self, expression: Json, at: _At) -> Any:
        """Return the term that may be empty in an expression: `count(x) == 0`, `x == set()`, `x == {y | y in z}`."""
        name, terms = operator(expression), expression.get("terms")
        if name == "object.subset" and is_array(terms) and self._rules.collects(terms[2]):
            return None if collection(terms[2]) in at.demands.filled else terms[2]
        if name not in COMPARISONS or not is_array(terms) or len(terms) != 3:  # noqa: PLR2004 - two sides
            return None
        _, left, right = terms
        if name in _EQUAL and self._rules.collects(left) and self._rules.collects(right):
            filled = [collection(term["value"][1] if operator(term) == "count" else term) for term in (left, right)]
            return None if at.demands.filled.intersection(filled) else [left, right]
        for comparison, term, other in ((name, left, right), (MIRRORED.get(name, name), right, left)):
            counted = is_object(term) and term.get("type") == "call" and operator(term) in _ZERO_FOR_NOTHING
            inside = term["value"][1] if counted else term
            empty = is_object(other) and other.get("type") in {"set", "array", "object"} and not other["value"]
            found = holds(comparison, number(0), constant(other)) if counted else empty and comparison in _EQUAL
            if found and self._is_computed(inside):
                return inside
        return None

    def _is_computed(self, term: Any, depth: int = 0) -> bool:
        """Return whether a term exists and is empty if its input is missing; False for a part of the input."""
        for use in uses(term):
            own = self._rules.named(use.path)
            values = [head.get("value") for each in own for head, _ in each.branches]
            if use.comprehension is not None or any(each.is_collection for each in own):
                return True
            if own and depth <= _DEEPEST and any(self._is_computed(value, depth + 1) for value in values):
                return True
            if not own and use.path.startswith("data.mcp."):
                return True
        return False

    def _defaults(self, expression: Json, line: int, at: _At) -> Iterator[Problem]:
        for is_met, source in self._fallback_truths(expression):
            if is_met is not bool(expression.get("negated")):
                what = f"{source}, so this holds if its input is missing."
                yield Problem(at.module.path, line, what, "Remove the default, or choose one that refuses.")

    def _fallback_truths(self, expression: Json) -> Iterator[tuple[bool, str]]:
        """Yield, for each default of a missing value, whether the expression holds with it, and its description."""
        terms, name = expression.get("terms"), operator(expression)
        if is_array(terms) and name in COMPARISONS and len(terms) == 3:  # noqa: PLR2004 - two sides
            _, left, right = terms
            yield from ((holds(name, value, constant(right)), words) for value, words in self._fallbacks(left))
            yield from ((holds(name, constant(left), value), words) for value, words in self._fallbacks(right))
        elif is_array(terms) and name.startswith("is_"):
            yield from ((is_of_type(name, value), words) for value, words in self._fallbacks(terms[-1]))
        elif name not in _BINDING:
            yield from ((value != constant(_FALSE), words) for value, words in self._fallbacks(term_of(expression)))

    def _fallbacks(self, term: Any) -> Iterator[tuple[Any, str]]:
        """Yield the constants that replace a term if its input is missing, each with a description."""
        if not is_object(term):
            return
        if term.get("type") == "call" and operator(term) == "object.get" and len(term["value"]) == 4:  # noqa: PLR2004
            value = constant(term["value"][3])
            if value is not MISSING:
                yield value, "`object.get` has a default"
        for use in uses(term):
            if use.is_of(term):
                for own in self._rules.named(use.path):
                    if own.fallback is not MISSING:
                        yield own.fallback, f"`{own.name}` has a `default` or `else` ({own.where})"


_FALSE: Final = {"type": "boolean", "value": False}
_OF_NOTHING: Final = (
    "the result is empty if {} is missing or of another type, and an empty result permits.",
    "Require it here, too (for example `{}`), or write `count(xs) > 0` and `every x in xs {{...}}` for the condition.",
)
_OF_NEGATION: Final = (
    "`not` also passes if the value cannot be checked: {} may be missing or of another type.",
    "Write the condition without `not`, or require the value in the same body (for example `{}`).",
)


def _demanded_by_opa(expression: Json) -> frozenset[str]:
    """Return the arguments of a negated call if they only need to exist: OPA evaluates them before the negation."""
    name, terms = operator(expression), expression.get("terms")
    if not is_array(terms) or name in _EQUAL:
        return frozenset()
    given = {use.path for use in uses(terms[1:]) if use.path}
    return frozenset(each for each in given if BodyDemands(there=frozenset({each})).cover(each))


def _shown(path: str) -> str:
    return path.removeprefix("data.mcp.lib.own.").removeprefix("data.mcp.lib.")


def _other_types(expression: Json, line: int, at: _At) -> Iterator[Problem]:
    """Yield the comparisons that also hold for other types of a value from the caller."""
    name, terms = operator(expression), expression.get("terms")
    if name not in _ORDERED | {"neq"} or not is_array(terms) or len(terms) != 3:  # noqa: PLR2004 - two sides
        return
    for term, other in ((terms[1], terms[2]), (terms[2], terms[1])):
        path = place(term)
        if not is_untyped(path) or path.startswith("data.") or path in at.demands.typed:
            continue
        if name == "neq" and constant(other) is MISSING:
            continue
        check = "is_number" if name in _ORDERED else "is_string"
        what = f"the comparison also holds for `{path}` of other types, such as null."
        yield Problem(at.module.path, line, what, f"Write `{check}({path})` next to it, or compare with a safe value.")
        return
