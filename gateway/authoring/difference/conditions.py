"""Comparison of two conditions on the same argument: which one is wider, for the effect of a changed rule.

Rule 1: a test is at most another if, for every value, it holds only if the other holds, and the other fails only if it
fails. Then it is narrower in an allow and in a deny.
Rule 2: a relation that cannot be proved is not claimed.
"""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from gateway.artifact.json_narrowing import Json, is_array, is_object
from gateway.policy.rules.condition_descriptions import condition_words
from gateway.policy.rules.rule_conditions import ELEMENTS, NUMBERS, OF_SEVERAL, SQL

_ENDLESS: Final = float("inf")
_OF_NAMES: Final = frozenset({"host", "domain"})


def condition_changes(old: list[Json], new: list[Json]) -> Iterator[tuple[str, bool | None]]:
    """Yield the changes of the conditions of a rule, and whether it is wider after each; None if that is not known."""
    taken = [each for each in old if each not in new]
    added = [each for each in new if each not in old]
    for before, after in list(_changed(taken, added)):
        taken.remove(before)
        added.remove(after)
        said = f"now applies if argument {condition_words(after)}, no longer if {condition_words(before)}"
        yield said, is_wider(before, after)
    for each in added:
        yield f"now applies only if argument {condition_words(each)}", False
    for each in taken:
        yield f"no longer requires that argument {condition_words(each)}", True


def _changed(taken: list[Json], added: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Yield the pairs of the only old and the only new condition on the same argument."""
    for before in taken:
        others = [each for each in added if each.get("path") == before.get("path")]
        if len(others) == 1 and sum(each.get("path") == before.get("path") for each in taken) == 1:
            yield before, others[0]


def is_wider(old: Json, new: Json) -> bool | None:
    """Return whether the new condition is wider than the old one, false if it is narrower; None if neither is sure."""
    before, after = ({word: operand for word, operand in each.items() if word != "path"} for each in (old, new))
    if _is_at_most(before, after):
        return True
    return False if _is_at_most(after, before) else None


def _is_at_most(first: Any, second: Any) -> bool:
    """Return whether a test is surely at most another (Rule 1)."""
    if not (is_object(first) and is_object(second) and len(first) == len(second) == 1):
        return False
    ((word, one),), ((other_word, other),) = first.items(), second.items()
    if _key(first) == _key(second):
        return True
    if word in {"not", OF_SEVERAL} and other_word in {"not", OF_SEVERAL}:
        return all(any(_is_at_most(each, held) for held in _held(one)) for each in _held(other))
    if word in ELEMENTS and word == other_word:
        return _is_at_most(one, other)
    if word == other_word == "length":
        return _lies_in(_interval(one), _interval(other))
    if (interval := _interval(first)) and (wider := _interval(second)):
        return _lies_in(interval, wider)
    return _is_part(word, one, other_word, other)


def _held(tests: Any) -> list[Any]:
    return tests if is_array(tests) else [tests]


def _interval(test: Any) -> tuple[float, float, float, float] | None:
    """Return the interval in which a test holds: the lowest number, its openness, the highest, its openness negated."""
    ((word, limit),) = test.items()
    if isinstance(limit, bool) or not isinstance(limit, int | float) or word not in {*NUMBERS, "equals"}:
        return None
    match word:
        case "at_most" | "below":
            return -_ENDLESS, 0, limit, -int(word == "below")
        case "at_least" | "above":
            return limit, int(word == "above"), _ENDLESS, 0
        case _:
            return limit, 0, limit, 0


def _lies_in(inner: tuple[float, float, float, float] | None, outer: tuple[float, float, float, float] | None) -> bool:
    return inner is not None and outer is not None and inner[:2] >= outer[:2] and inner[2:] <= outer[2:]


def _is_part(word: str, one: Any, other_word: str, other: Any) -> bool:
    if {word, other_word} <= {"equals", "in"}:
        values, others = (_values(*each) for each in ((word, one), (other_word, other)))
        return values <= others and {kind for kind, _ in values} == {kind for kind, _ in others}
    if word != other_word:
        return False
    if word == "prefix":
        return str(one).startswith(str(other))
    if word in _OF_NAMES:
        return all(any(_covers(wide, name) for wide in other) for name in one)
    if word == SQL:
        return one["dialect"] == other["dialect"] and {*one["only"]} <= {*other["only"]}
    if word == "within":
        kinds = [{str(root).startswith("/") for root in roots} for roots in (one, other)]
        return kinds[0] == kinds[1] and all(any(_lies_below(root, wide) for wide in other) for root in one)
    return False


def _values(word: str, operand: Any) -> set[tuple[str, bytes]]:
    return {(_kind(each), _key(each)) for each in (operand if word == "in" else [operand])}


def _kind(value: Any) -> str:
    return "number" if isinstance(value, float) else "number" if type(value) is int else type(value).__name__


def _key(value: Any) -> bytes:
    """Return the value as bytes, which are equal if OPA considers the values equal."""
    return orjson.dumps(_whole(value), option=orjson.OPT_SORT_KEYS)


def _whole(value: Any) -> Any:
    if is_object(value):
        return {key: _whole(each) for key, each in value.items()}
    if is_array(value):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _covers(wide: str, name: str) -> bool:
    return wide == name or (wide.startswith("*.") and name.removeprefix("*").endswith(wide[1:]) and name != wide[1:])


def _lies_below(root: str, wide: str) -> bool:
    if wide == ".":
        return not root.startswith("..")
    return root == wide or root.startswith(f"{wide.rstrip('/')}/")
