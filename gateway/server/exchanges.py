"""The requests under way, counted by caller: no caller takes the memory and the time of the others.

Rule 1: the count covers a request from its verified credential to the end of its answer.
Rule 2: callers without a credential are one principal, and so they count by their address.
"""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from gateway.admission.action import Answer
from gateway.admission.refusal import JSON
from gateway.protocol.errors import failure_body
from gateway.server.arrival import TurnedAway

_RETRY: Final = (("retry-after", "1"),)


class Exchanges:
    """Counts for one worker."""

    def __init__(self, most: int) -> None:
        """Allow a caller so many requests at once."""
        self._most: Final = most
        self._open: Final[Counter[str]] = Counter()

    @contextmanager
    def begun(self, key: str) -> Generator[bool]:
        """Count a request while the block runs; yield false if its caller has too many."""
        if self._open[key] >= self._most:
            yield False
            return
        self._open[key] += 1
        try:
            yield True
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    def refused(self) -> TurnedAway:
        """Return how a request of a caller with too many is turned away."""
        why = f"{self._most} requests of this caller are under way (limits.exchanges_per_principal)"
        body = failure_body(None, "rate_limited", f"{why}; wait for their answers")
        return TurnedAway(
            code="too_many_exchanges", detail=why, answer=Answer(status=429, body=body, headers=(*JSON, *_RETRY))
        )
