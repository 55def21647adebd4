"""Find conditions that contradict each other, so that a rule or its exception can never apply.

Rule 1: only proven conflicts are reported: no number, length, type, value or text meets all conditions on one argument.
Rule 2: an exception that applies whenever its rule applies disables the rule.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_array
from gateway.policy.rules.argument_types import EVERY, judged, type_of
from gateway.policy.rules.name_globs import fits
from gateway.policy.rules.rule_conditions import EXCEPTION, NUMBERS, OF_SEVERAL, ConditionTest, exception_of
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.problem import Problem

_ENDLESS: Final = float("inf")
_OPPOSITES: Final = {"at_most": "above", "above": "at_most", "at_least": "below", "below": "at_least"}


class Literal(Struct, frozen=True):
    """A test, or its negation, that must hold."""

    word: str
    operand: Any
    is_positive: bool = True


def condition_conflicts(environment: Environment) -> Iterator[Problem]:
    """Yield the conditions of an environment's rules that can never hold together."""
    for document, pointer, rule in environment.rules_placed():
        for place, part in ((pointer, rule), (pointer + EXCEPTION, exception_of(rule))):
            conditions: list[Json] = part.get("arguments", [])
            for path in dict.fromkeys(each["path"] for each in conditions):
                places = [number for number, each in enumerate(conditions) if each["path"] == path]
                if never_holds([literal for number in places for literal in literals(conditions[number])]):
                    said = (
                        f"no value of `{path}` can meet {'all these conditions' if places[1:] else 'this condition'}."
                    )
                    remedy = "Correct the values. For alternatives, write one rule for each, or use `in`."
                    yield document.problem(f"{place}/arguments/{places[-1]}", said, remedy)
        if _is_always_excepted(rule):
            said = "the exception applies whenever the rule does, so the rule never applies."
            yield document.problem(pointer + EXCEPTION, said, "Narrow the exception, or remove the rule.")


def literals(condition: Json) -> Iterator[Literal]:
    """Yield the literals that must hold for a condition to hold, as far as negations can be resolved."""
    todo = [Literal(word, operand) for word, operand in condition.items() if word != "path"]
    while todo:
        each = todo.pop()
        if each.word == "not":
            todo += [Literal(word, operand, not each.is_positive) for word, operand in each.operand.items()]
        elif each.word == OF_SEVERAL and each.is_positive:
            todo += [Literal("not", test) for test in each.operand]
        else:
            yield each


def never_holds(stated: Iterable[Literal]) -> bool:
    """Return whether no value can meet all of these literals."""
    every = [*stated]
    is_opposed = any(each.is_positive and _opposite(each) in every for each in every)
    ways = (_no_type, _no_number, _no_length, _no_value, _no_text)
    return is_opposed or any(way(every) for way in ways)


def _opposite(literal: Literal) -> Literal:
    return Literal(literal.word, literal.operand, not literal.is_positive)


def _no_type(stated: Sequence[Literal]) -> bool:
    possible = EVERY | {"nothing"}
    for each in stated:
        if each.word == "absent":
            possible &= {"nothing"} if each.is_positive else EVERY
        elif each.word != OF_SEVERAL:
            possible &= judged(ConditionTest(each.word, each.operand, "", ""))
    return not possible


def _no_number(stated: Sequence[Literal]) -> bool:
    limits = [
        (each.word if each.is_positive else _OPPOSITES[each.word], each.operand)
        for each in stated
        if each.word in NUMBERS
    ]
    return _is_empty(limits)


def _no_length(stated: Sequence[Literal]) -> bool:
    limits: list[tuple[str, float]] = [("at_least", 0)]
    for literal in stated:
        if literal.word == "length":
            ((word, limit),) = literal.operand.items()
            if word == "equals" and literal.is_positive:
                limits += [("at_least", limit), ("at_most", limit)]
            elif word in NUMBERS:
                limits.append((word if literal.is_positive else _OPPOSITES[word], limit))
    whole = {"above": ("at_least", 1), "below": ("at_most", -1)}
    closed = ((*whole[word], limit) if word in whole else (word, 0, limit) for word, limit in limits)
    return _is_empty([(word, limit + step) for word, step, limit in closed])


def _is_empty(limits: Iterable[tuple[str, float]]) -> bool:
    """Return whether no number meets all limits."""
    low, high, open_ends = -_ENDLESS, _ENDLESS, set[float]()
    for word, limit in limits:
        if word in {"at_least", "above"}:
            low = max(low, limit)
        else:
            high = min(high, limit)
        if word in {"above", "below"}:
            open_ends.add(limit)
    return low > high or (low == high and low in open_ends)


def _no_value(stated: Sequence[Literal]) -> bool:
    named = [each.operand if each.word == "in" else [each.operand] for each in stated if _names_values(each)]
    return bool(named) and not any(all(_may_fit(each, value) for each in stated) for value in named[0])


def _names_values(literal: Literal) -> bool:
    return literal.is_positive and literal.word in {"equals", "in"}


def _may_fit(literal: Literal, value: Any) -> bool:
    """Return whether a value may meet a literal; True if this cannot be decided here."""
    found = _verdict(literal.word, literal.operand, value)
    return found is None or found == literal.is_positive


def _verdict(word: str, operand: Any, value: Any) -> bool | None:
    """Return whether a test holds for a value; None if this cannot be decided here."""
    match word:
        case "equals" | "in":
            return any(_is_same(each, value) for each in (operand if word == "in" else [operand]))
        case "prefix" | "glob" if isinstance(value, str):
            return value.startswith(operand) if word == "prefix" else fits(operand, value)
        case "at_most" | "at_least" | "above" | "below" if type_of(value) == "number":
            equal = [("at_least", value), ("at_most", value)]
            return not _is_empty([*equal, (word, operand)])
        case "length" if isinstance(value, str) or is_array(value):
            length = Literal("length", {"equals": len(value)})
            return not _no_length([length, Literal(word, operand)]) if "equals" not in operand else None
        case _:
            return None


def _is_same(one: Any, other: Any) -> bool:
    return type_of(one) == type_of(other) and one == other


def _no_text(stated: Sequence[Literal]) -> bool:
    prefixes = [each.operand for each in stated if each.word == "prefix" and each.is_positive]
    longest = max(prefixes, key=len, default="")
    barred = [each.operand for each in stated if each.word == "prefix" and not each.is_positive]
    return not all(longest.startswith(each) for each in prefixes) or any(longest.startswith(each) for each in barred)


def _is_always_excepted(rule: Json) -> bool:
    """Return whether each part of the exception applies whenever the rule applies."""
    exception = exception_of(rule)
    who: Json = rule.get("who", {})
    excepted: Json = exception.get("who", {})
    conditions: list[Json] = rule.get("arguments", [])
    of_who = all(_is_part(who.get(field), words) for field, words in excepted.items())
    of_when = exception.get("when") in (None, rule.get("when"))
    return bool(exception) and of_who and of_when and all(each in conditions for each in exception.get("arguments", []))


def _is_part(words: Any, of: Any) -> bool:
    return is_array(words) and is_array(of) and all(each in of for each in words)
