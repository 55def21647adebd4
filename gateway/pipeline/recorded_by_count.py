"""Messages that are recorded by count, such as `ping` and progress (column `recorded` of the method table).

Rule 1: names come from the method table and from permitted calls, so there are few of them.
"""

from collections import Counter
from typing import Final

from gateway.admission.record import Counted
from gateway.pipeline.ports import Moment


class MessageCounts:
    """Counts of the passed messages since the last read, by server, method and direction."""

    def __init__(self) -> None:
        """Start with no counts."""
        self._counts: Final[Counter[tuple[str, str, str]]] = Counter()
        self._since_ns = 0

    def add(self, server: str, method: str, direction: str) -> None:
        """Count one message. `direction` names the sender: `client` or `server`."""
        self._counts[server, method, direction] += 1

    def taken(self, now: Moment) -> list[Counted]:
        """Return the counts since the last read, and reset them."""
        since, self._since_ns = self._since_ns, now.unix_ns
        counted = [
            Counted(unix_ns=now.unix_ns, since_ns=since, server=server, method=method, count=count, direction=direction)
            for (server, method, direction), count in self._counts.items()
        ]
        self._counts.clear()
        return counted
