"""The requests under way, counted by caller: no caller takes the memory and the time of the others.

Rule 1: the count covers a request from its verified credential to the end of its answer, and the bytes of its body from
the first one on.
Rule 2: callers without a credential are one principal, and so they count by their address.
Rule 3: one request of a caller always has room, so that the limit on bytes never refuses what is smaller than it.
"""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from gateway.admission.action import Answer
from gateway.admission.refusal import JSON
from gateway.protocol.errors import failure_body
from gateway.server.arrival import TurnedAway

_RETRY: Final = (("retry-after", "1"),)


class Share(Struct, frozen=True, kw_only=True):
    """What one caller may have under way in one worker."""

    requests: int = 512
    body_bytes: int = 64 * 1024 * 1024


class Exchange:
    """A request under way, and the bytes of its body that were read."""

    __slots__ = ("_held", "_most", "key", "size")

    def __init__(self, key: str, held: Counter[str], most: int) -> None:
        """Take its caller, the bytes that callers hold, and how many of them one may hold."""
        self.key: Final = key
        self.size = 0
        self._held: Final = held
        self._most: Final = most

    def take(self, size: int) -> bool:
        """Count more bytes of the body; return whether the caller may hold them beside its other requests."""
        self.size += size
        self._held[self.key] += size
        return self._held[self.key] <= self._most or self._held[self.key] == self.size


class Exchanges:
    """Counts for one worker."""

    def __init__(self, share: Share) -> None:
        """Take what each caller may have."""
        self._share: Final = share
        self._open: Final[Counter[str]] = Counter()
        self._held: Final[Counter[str]] = Counter()

    @contextmanager
    def begun(self, key: str) -> Generator[Exchange | None]:
        """Count a request while the block runs; yield null if its caller has too many."""
        if self._open[key] >= self._share.requests:
            yield None
            return
        exchange = Exchange(key, self._held, self._share.body_bytes)
        self._open[key] += 1
        try:
            yield exchange
        finally:
            self._open[key] -= 1
            self._held[key] -= exchange.size
            if not self._open[key]:
                del self._open[key], self._held[key]

    def too_many(self) -> TurnedAway:
        """Return how a request of a caller with too many is turned away."""
        most = self._share.requests
        return _turned_away(f"{most} requests of this caller are under way (limits.exchanges_per_principal)")

    def too_large(self) -> TurnedAway:
        """Return how a request is turned away whose caller holds too many bytes."""
        most = self._share.body_bytes
        return _turned_away(
            f"the requests of this caller that are under way hold {most} bytes (limits.bytes_per_principal)"
        )


def _turned_away(why: str) -> TurnedAway:
    body = failure_body(None, "rate_limited", f"{why}; wait for their answers")
    return TurnedAway(
        code="too_many_exchanges", detail=why, answer=Answer(status=429, body=body, headers=(*JSON, *_RETRY))
    )
