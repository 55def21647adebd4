"""Warnings about tokens in the log, each at most once a minute.

Rule 1: memory is bounded: beyond CAPACITY, the thing that was logged the longest ago is forgotten.
Rule 2: texts of a token are cut and printable, and nothing of its signature is among them.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 60.0
CAPACITY: Final = 256
_LONGEST: Final = 200
_LOG: Final = logging.getLogger("gateway.identity")


class TokenWarnings:
    """Writes warnings; `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._written: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def warn(self, message: str, *key: str, **more: str) -> None:
        """Log a warning, unless the same message with the same key was logged less than EVERY_S seconds ago."""
        now, last = self._clock(), self._written.get((message, *key))
        if last is not None and now - last < EVERY_S:
            return
        self._written[message, *key] = now
        self._written.move_to_end((message, *key))
        if len(self._written) > CAPACITY:
            self._written.popitem(last=False)
        _LOG.warning(message, extra=more)


def shown(value: object) -> str:
    """Return a value of a token as it may be shown: printable ASCII, not too long."""
    text = "".join(char if " " <= char <= "~" and char != "`" else "?" for char in str(value)[: _LONGEST + 1])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
