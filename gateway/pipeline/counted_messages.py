"""Messages that are recorded by count: `ping`, progress and the like (the method table's column `recorded`).

Rule 1: names come from the method table and from permitted calls, so there are few of them.
"""

from collections import Counter
from typing import Final

from gateway.admission.record import Counted
from gateway.pipeline.ports import Moment


class MessageCounts:
    """How many messages of which method passed on which server since the last look."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._counts: Final[Counter[tuple[str, str, str]]] = Counter()
        self._since_ns = 0

    def add(self, server: str, method: str, direction: str) -> None:
        """Count one message; `direction` says who sent it, `client` or `server`."""
        self._counts[server, method, direction] += 1

    def taken(self, now: Moment) -> list[Counted]:
        """Return what was counted since the last look, and begin again."""
        since, self._since_ns = self._since_ns, now.unix_ns
        counted = [
            Counted(unix_ns=now.unix_ns, since_ns=since, server=server, method=method, count=count, direction=direction)
            for (server, method, direction), count in self._counts.items()
        ]
        self._counts.clear()
        return counted
