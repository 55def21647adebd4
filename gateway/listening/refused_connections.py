"""Rate-limited log of connections that a limit closed or refused.

Rule 1: the first refusal of a kind is reported at once, the following ones together, at most every ten seconds.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Protocol

EVERY_S: Final = 10.0

REMEDIES: Final[Mapping[str, str]] = {
    "connections": "raise the limit of open files of this process or `listen.connections`, or add workers",
    "connections_per_address": "check the clients at this address, or raise `listen.connections_per_address`; "
    "if it is a proxy, add it to `listen.trusted_proxies`",
    "connections_without_credential": "check which clients open connections without using them, or raise "
    "`listen.connections`",
    "descriptors": "raise the limit of open files of this process",
    "head_bytes": "send a shorter URL and fewer headers; see `limits.header_bytes`",
    "head_s": "send the head of a request without pauses; see `listen.head_s`",
    "body_s": "send the body faster; see `listen.body_s`",
    "stall_s": "send and read without long pauses; see `listen.stall_s`",
    "unread_bytes": "read responses as they arrive; see `limits.unread_bytes`",
}
"""Limits that close or refuse connections, each with its remedy."""


class EventLog(Protocol):
    """Writer of events to the log."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


class Refusals:
    """Counter and reporter of refusals, by limit."""

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
        """Report the refusals since the last report, if that was long enough ago."""
        for limit in tuple(self._counts):
            self._due(limit)

    def _due(self, limit: str) -> None:
        now = self._clock()
        if now - self._reported.get(limit, -EVERY_S) < EVERY_S:
            return
        self._reported[limit] = now
        count, source = self._counts.pop(limit), self._sources[limit]
        self._report("connections_refused", limit=limit, count=count, last_from=source, remedy=REMEDIES[limit])
