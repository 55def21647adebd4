"""One value for each event loop.

Rule 1: the value is created on first use, and ends with its loop.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar
from weakref import WeakKeyDictionary

Value = TypeVar("Value")


class PerLoop(Generic[Value]):
    """The values of all event loops of the process."""

    def __init__(self, make: Callable[[], Value]) -> None:
        """Take the function that makes the value of a loop."""
        self._make: Final = make
        self._values: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Value]] = WeakKeyDictionary()

    def here(self) -> Value:
        """Return the value of the running event loop."""
        loop = asyncio.get_running_loop()
        value = self._values.get(loop)
        if value is None:
            value = self._values[loop] = self._make()
        return value
