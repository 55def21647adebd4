"""Walk the conditions of a rule on arguments, and their tests, in documents and in the data of bundles.

Rule 1: a condition is a path and one test. A test may contain other tests, up to a limit of depth.
Rule 2: all code that reads conditions walks them with this module, so that no nested test is overlooked.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_array, is_object

DEEPEST: Final = 4
"""The largest depth of nested tests: Rego does not support recursion."""
ELEMENTS: Final = frozenset({"any_element", "every_element"})
OF_ONE: Final = frozenset({"not", *ELEMENTS})
"""The tests that contain one test."""
OF_SEVERAL: Final = "none_of"
EXCEPTION: Final = "/unless"
"""JSON pointer to the exception of a rule."""
NUMBERS: Final = frozenset({"at_most", "at_least", "above", "below"})
TEXTS: Final = frozenset({"prefix", "glob", "matches"})
SQL: Final = "sql"
"""The test of SQL statements: their dialect, and what they may do."""


class ConditionTest(Struct, frozen=True):
    """One test: its word, its operand, its position in the rule, and the tests around it."""

    word: str
    operand: Any
    pointer: str
    """JSON pointer from the rule to the operand of the test."""
    path: str
    """JSON pointer into the arguments."""
    outer: tuple[str, ...] = ()
    """The words of the tests around it, the outermost first."""

    @property
    def lists(self) -> int:
        """The number of nested lists that the tested value is inside."""
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
    """Yield every test of the condition at a pointer from the rule, outer ones first."""
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
