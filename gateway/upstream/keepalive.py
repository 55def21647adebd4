"""The time for which an idle connection may be used again.

Rule 1: the limit is a second shorter than the server's own timeout, if that is known.
Rule 2: a server announces its timeout in `Keep-Alive: timeout=N`. Without it, the limit is short until one connection
of the server has stayed open for longer than `IDLE_S`.
Rule 3: a server that closed an idle connection early gets a shorter limit, until a later connection stays open.
"""

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

Origin = tuple[str, int, bool]
"""Host, port, and whether the connection uses TLS."""

IDLE_S: Final = 3.0
"""Maximum idle time of a connection before it is used again."""
FIRST_S: Final = 0.5
"""The limit for a server with an unknown timeout."""
MARGIN_S: Final = 1.0
"""Margin before the server's own timeout, because the request has to travel and clocks differ."""
WATCH_S: Final = IDLE_S + MARGIN_S
"""Time after which an idle connection is closed. Until then the gateway observes whether the server closes it."""
_TIMEOUT: Final = re.compile(r"(?:^|[,;\s])timeout\s*=\s*\"?(\d{1,9})(?!\d)", re.IGNORECASE)
_MAX: Final = re.compile(r"(?:^|[,;\s])max\s*=\s*\"?0+(?!\d)", re.IGNORECASE)
_ORIGINS: Final = 4_096


class Promise(Struct, frozen=True):
    """The idle timeout in the head of a reply, in seconds. It is null if the head announces none."""

    timeout_s: float | None = None

    @property
    def limit_s(self) -> float | None:
        """Return the maximum idle time before the connection is used again."""
        return None if self.timeout_s is None else max(0.0, self.timeout_s - MARGIN_S)


def promise(headers: Iterable[tuple[str, str]]) -> Promise:
    """Return the shortest timeout of the `Keep-Alive` headers. Names are in lower case."""
    lines = [value for name, value in headers if name == "keep-alive"]
    if any(_MAX.search(line) for line in lines):
        return Promise(0.0)
    found = [float(seconds) for line in lines for seconds in _TIMEOUT.findall(line)]
    return Promise(min(found, default=None))


class Keepalive:
    """The limits of one worker, by origin."""

    def __init__(self) -> None:
        """Start without knowledge of any server."""
        self._observed: Final[dict[Origin, float]] = {}

    def limit_s(self, origin: Origin, promised: Promise) -> float:
        """Return the maximum idle time of a connection before it is used again."""
        limit = promised.limit_s
        if limit is None:
            return self._observed.get(origin, FIRST_S)
        return min(limit, self._observed.get(origin, IDLE_S), IDLE_S)

    def stayed_open(self, origin: Origin) -> None:
        """Record that a connection was idle for `WATCH_S` and the server did not close it."""
        self._learn(origin, IDLE_S)

    def closed(self, origin: Origin, idle_s: float) -> None:
        """Record that the server closed a connection that was idle for this long."""
        self._learn(origin, min(self._observed.get(origin, FIRST_S), FIRST_S, idle_s / 2))

    def _learn(self, origin: Origin, limit_s: float) -> None:
        if len(self._observed) >= _ORIGINS:
            self._observed.clear()
        self._observed[origin] = limit_s
