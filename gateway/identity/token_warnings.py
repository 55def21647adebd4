"""Logged warnings about tokens, each at most once a minute.

Rule 1: memory is bounded: beyond CAPACITY, the oldest logged warning is forgotten.
Rule 2: text from a token is truncated and printable, and never contains its signature.
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
    """Logger of warnings; `clock` returns monotonic seconds."""

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
    """Return a value from a token for display: printable ASCII of limited length."""
    text = "".join(char if " " <= char <= "~" and char != "`" else "?" for char in str(value)[: _LONGEST + 1])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
