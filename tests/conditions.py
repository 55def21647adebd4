"""What conditions on arguments mean, written down a second time, for tests that compare this with the Rego.

Rule 1: a verdict is True (holds), False (fails) or None (unknown); nothing here is shared with what is tested.
Rule 2: what is written by chance compares with few values, so that tests and arguments meet.
"""

import re
from collections.abc import Callable
from random import Random
from typing import Any, Final

from gateway.artifact.json_narrowing import is_array, is_object

Verdict = bool | None
MISSING: Final = object()
"""The value of a pointer that names nothing."""
BLOCKED: Final = object()
"""The value of a pointer below something that has no members."""
WORDS: Final = {True: "holds", False: "fails", None: "unknown"}

_NUMBERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "at_most": lambda value, limit: value <= limit,
    "at_least": lambda value, limit: value >= limit,
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
    "equals": lambda value, limit: value == limit,
}


def kind(value: Any) -> str:
    """Return the JSON type of a value."""
    if value is None:
        return "null"
    names = ((bool, "boolean"), (int | float, "number"), (str, "string"), (list, "array"), (dict, "object"))
    return next((name for type_, name in names if isinstance(value, type_)), "nothing")


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal: `true` is not 1."""
    if kind(one) != kind(other):
        return False
    if is_array(one):
        return len(one) == len(other) and all(map(same, one, other))
    if is_object(one):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


def at(arguments: Any, pointer: str) -> Any:
    """Return the value at a JSON pointer, `MISSING`, or `BLOCKED`."""
    value: Any = arguments
    if not is_object(value):
        return BLOCKED
    for segment in (each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]):
        if is_object(value):
            if segment not in value:
                return MISSING
            value = value[segment]
        elif is_array(value) and re.fullmatch(r"0|[1-9][0-9]{0,8}", segment):
            if int(segment) >= len(value):
                return MISSING
            value = value[int(segment)]
        else:
            return BLOCKED
    return value


def condition(stated: dict[str, Any], arguments: Any) -> Verdict:
    """Return the verdict of a condition on arguments."""
    (word,) = stated.keys() - {"path"}
    return judged(word, stated[word], at(arguments, stated["path"]))


def judged(word: str, operand: Any, value: Any) -> Verdict:
    """Return the verdict of a test on a value."""
    match word:
        case "not":
            return opposite(inner(operand, value))
        case "none_of":
            return opposite(any_of([inner(each, value) for each in operand]))
        case "any_element":
            return any_of([inner(operand, each) for each in value]) if is_array(value) else None
        case "every_element":
            opposites = [opposite(inner(operand, each)) for each in value] if is_array(value) else []
            return opposite(any_of(opposites))
        case "absent":
            return None if value is BLOCKED else value is MISSING
        case _:
            return _compared(word, operand, value)


def inner(test: dict[str, Any], value: Any) -> Verdict:
    """Return the verdict of the one test of an object."""
    ((word, operand),) = test.items()
    return judged(word, operand, value)


def opposite(verdict: Verdict) -> Verdict:
    """Return the opposite; of unknown it is unknown."""
    return None if verdict is None else not verdict


def any_of(verdicts: list[Verdict]) -> Verdict:
    """Return whether one holds; of none at all that is unknown."""
    if True in verdicts:
        return True
    return False if verdicts and set(verdicts) == {False} else None


def _compared(word: str, operand: Any, value: Any) -> Verdict:
    known = kind(value)
    if word == "equals":
        return same(operand, value) if kind(operand) == known else None
    if word == "in":
        return any(same(each, value) for each in operand) if known in map(kind, operand) else None
    if word == "length":
        ((measure, limit),) = operand.items()
        return _NUMBERS[measure](len(value), limit) if known in {"string", "array"} else None
    if word in _NUMBERS:
        return _NUMBERS[word](value, operand) if known == "number" else None
    if known != "string":
        return None
    if word == "prefix":
        return value.startswith(operand)
    if word == "glob":
        return re.fullmatch(_glob(operand), value, re.DOTALL) is not None
    assert word == "matches"
    return re.search(operand, value) is not None


def _glob(pattern: str) -> str:
    signs = {"*": ".*", "?": "."}
    return "".join(signs.get(each, re.escape(each)) for each in pattern)


SCALARS: Final[tuple[Any, ...]] = (None, True, False, 0, 1, 2, 3, 1.5, -1, "", "a", "ab", "b", "abc", "ä", "a", "b", 1)
PATHS: Final = ("/a", "/a", "/a", "/a", "/b", "/c", "/a/0", "/a/b", "/b/a/0", "/a/1/0", "/a/0/0")
_LENGTHS: Final = (0, 1, 2, 3)
_LEAVES: Final[dict[str, tuple[Any, ...]]] = {
    "prefix": ("a", "ab", "b"),
    "glob": ("a*", "*", "?", "*b", "ab"),
    "matches": ("^a", "b$", "^ab?$", "c"),
    **dict.fromkeys(("at_most", "at_least", "above", "below"), (-1, 0, 1, 1.5, 2, 3)),
    "length": tuple({word: length} for word in _NUMBERS for length in _LENGTHS),
}


class Writer:
    """Writes tests, conditions and arguments, by a source of chance."""

    def __init__(self, chance: Random) -> None:
        """Take the source of chance."""
        self._chance = chance

    def value(self, depth: int = 2) -> Any:
        """Return a JSON value."""
        form = self._chance.randrange(10) if depth else 9
        if form < 3:
            return [self.value(depth - 1) for _ in range(self._chance.randrange(4))]
        if form == 3:
            return {self._chance.choice(("a", "b", "0")): self.value(depth - 1) for _ in range(2)}
        return self._chance.choice(SCALARS)

    def test(self, depth: int = 3, *, of_element: bool = False) -> dict[str, Any]:
        """Return a test that holds so many others inside one another at most."""
        form = self._chance.randrange(10) if depth else 9
        if form < 2:
            return {"not": self.test(depth - 1, of_element=of_element)}
        if form == 2:
            tests = [self.test(depth - 1, of_element=of_element) for _ in range(self._chance.randint(1, 3))]
            return {"none_of": tests}
        if form < 6:
            word = self._chance.choice(("any_element", "every_element"))
            return {word: self.test(depth - 1, of_element=True)}
        return self._leaf(of_element=of_element)

    def _leaf(self, *, of_element: bool) -> dict[str, Any]:
        words = ("equals", "equals", "in", "in", *_LEAVES, *(() if of_element else ("absent",)))
        word = self._chance.choice(words)
        if word == "absent":
            return {word: True}
        if word in _LEAVES:
            return {word: self._chance.choice(_LEAVES[word])}
        values = [self.value(1) for _ in range(self._chance.randint(1, 4))]
        return {word: values if word == "in" else values[0]}

    def condition(self) -> dict[str, Any]:
        """Return a condition."""
        return {"path": self._chance.choice(PATHS), **self.test()}

    def arguments(self, stated: dict[str, Any]) -> dict[str, Any]:
        """Return arguments in which some paths name something, and often what a condition can judge."""
        made = {name: self.value(3) for name in ("a", "b", "c") if self._chance.randrange(6)}
        if stated["path"] in {"/a", "/b", "/c"} and self._chance.randrange(4):
            (word,) = stated.keys() - {"path"}
            made[stated["path"][1:]] = self.fitting(word, stated[word])
        return made

    def fitting(self, word: str, operand: Any) -> Any:
        """Return a value that a test can probably judge."""
        match word:
            case "any_element" | "every_element":
                return [self.fitting(*next(iter(operand.items()))) for _ in range(self._chance.randint(1, 3))]
            case "not" | "none_of":
                held = operand if word == "not" else self._chance.choice(operand)
                return self.fitting(*next(iter(held.items())))
            case "equals" | "in":
                return self._chance.choice(operand) if word == "in" else operand
            case _:
                return self._chance.choice([each for each in SCALARS if judged(word, operand, each) is not None])
