"""Log lines about connections that a limit closed or refused, few of them.

Rule 1: the first of a kind is reported at once, the following ones together, at most every ten seconds.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Protocol

EVERY_S: Final = 10.0

REMEDIES: Final[Mapping[str, str]] = {
    "connections": "raise the limit of open files of this process or `listen.connections`, or add workers",
    "connections_per_address": "find out what this address does, or raise `listen.connections_per_address`; "
    "if it is a proxy, name it in `listen.trusted_proxies`",
    "connections_without_credential": "find out who opens connections without using them, or raise "
    "`listen.connections`",
    "descriptors": "raise the limit of open files of this process",
    "head_bytes": "send a shorter address and fewer headers; see `limits.header_bytes`",
    "head_s": "send the head of a request at once; see `listen.head_s`",
    "body_s": "send the body faster; see `listen.body_s`",
    "stall_s": "send and read without long pauses; see `listen.stall_s`",
    "unread_bytes": "read answers as they come; see `limits.unread_bytes`",
}
"""Limits that close or refuse connections, each with what to do."""


class EventLog(Protocol):
    """Takes events for the log."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


class Refusals:
    """Counts refusals by limit, and reports them."""

    def __init__(self, report: EventLog, clock: Callable[[], float]) -> None:
        self._report: Final = report
        self._clock: Final = clock
        self._counts: Final[Counter[str]] = Counter()
        self._sources: Final[dict[str, str]] = {}
        self._reported: Final[dict[str, float]] = {}

    def note(self, limit: str, source: str) -> None:
        """Count one refusal of a client at this address."""
        self._counts[limit] += 1
        self._sources[limit] = source
        self._due(limit)

    def flush(self) -> None:
        """Report what was counted since the last report, if that is long enough ago."""
        for limit in tuple(self._counts):
            self._due(limit)

    def _due(self, limit: str) -> None:
        now = self._clock()
        if now - self._reported.get(limit, -EVERY_S) < EVERY_S:
            return
        self._reported[limit] = now
        count, source = self._counts.pop(limit), self._sources[limit]
        self._report("connections_refused", limit=limit, count=count, last_from=source, remedy=REMEDIES[limit])
