"""Long work as steps, between which the caller may do something else.

Rule 1: a step takes a few milliseconds at most for the largest message; the driver of the steps decides when to pause.
"""

from collections.abc import Generator
from typing import TypeVar

_Result = TypeVar("_Result")

Steps = Generator[None, None, _Result]
"""Work that yields after each step and returns its result."""


def finish(steps: Steps[_Result]) -> _Result:
    """Return the result of steps, taken one after another without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return ended.value
