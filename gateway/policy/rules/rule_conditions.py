"""The conditions of a rule on arguments, and the tests inside them, in documents and in the data of bundles.

Rule 1: a condition is a path and one test; a test may hold others, and how deep is bounded.
Rule 2: every reader of conditions walks them here, so that none overlooks what stands inside another.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.json_types import Json, is_array, is_object

DEEPEST: Final = 4
"""How many tests may stand inside one another: Rego has no recursion."""
ELEMENTS: Final = frozenset({"any_element", "every_element"})
OF_ONE: Final = frozenset({"not", *ELEMENTS})
"""The tests that hold one test."""
OF_SEVERAL: Final = "none_of"
EXCEPTION: Final = "/unless"
"""Where the exception of a rule stands."""
NUMBERS: Final = frozenset({"at_most", "at_least", "above", "below"})
TEXTS: Final = frozenset({"prefix", "glob", "matches"})
SQL: Final = "sql"
"""The test of what SQL statements do: the dialect they are read in, and what they may do."""


class ConditionTest(Struct, frozen=True):
    """One test: its word, what it compares with, where it stands below the rule, and what surrounds it."""

    word: str
    operand: Any
    pointer: str
    """JSON pointer from the rule to what the test compares with."""
    path: str
    """JSON pointer into the arguments."""
    outer: tuple[str, ...] = ()
    """The words of the tests around it, the outermost first."""

    @property
    def lists(self) -> int:
        """How many lists its value is an element of."""
        return sum(word in ELEMENTS for word in self.outer)


def conditions_of(rule: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    """Yield the conditions of a rule and of its exception, each with its pointer from the rule."""
    for pointer, part in (("", rule), (EXCEPTION, exception_of(rule))):
        for number, condition in enumerate(part.get("arguments", ())):
            yield f"{pointer}/arguments/{number}", condition


def exception_of(rule: Mapping[str, Any]) -> Json:
    """Return the exception of a rule; an empty one if it has none."""
    stated: Any = rule.get("unless")
    return stated if is_object(stated) else {}


def tests_of(rule: Mapping[str, Any]) -> Iterator[ConditionTest]:
    """Yield every test of a rule, outer ones first."""
    for pointer, condition in conditions_of(rule):
        yield from tests_of_condition(pointer, condition)


def tests_of_condition(pointer: str, condition: Json) -> Iterator[ConditionTest]:
    """Yield every test of a condition that stands at a pointer from the rule, outer ones first."""
    for word, operand in condition.items():
        if word != "path":
            yield from _inside(ConditionTest(word, operand, f"{pointer}/{word}", str(condition["path"])))


def _inside(test: ConditionTest) -> Iterator[ConditionTest]:
    """Yield a test and those inside it, outer ones first."""
    todo = [test]
    while todo:
        each = todo.pop()
        yield each
        todo += reversed(list(_directly_inside(each)))


def _directly_inside(test: ConditionTest) -> Iterator[ConditionTest]:
    held: list[tuple[str, Any]] = []
    if test.word in OF_ONE:
        held = [(test.pointer, test.operand)]
    elif test.word == OF_SEVERAL and is_array(test.operand):
        held = [(f"{test.pointer}/{number}", each) for number, each in enumerate(test.operand)]
    for pointer, each in held:
        for word, operand in each.items() if is_object(each) else ():
            yield ConditionTest(word, operand, f"{pointer}/{word}", test.path, (*test.outer, test.word))
