"""The requests under way, counted by caller: no caller takes the memory and the time of the others.

Rule 1: the count covers a request from its verified credential to the end of its answer, and the bytes of its body from
the first one on.
Rule 2: callers without a credential are one principal, and so they count by their address.
Rule 3: if no other request of a caller holds bytes, the next one has room, however large it is. A small request always
has room, because running calls may wait for it, such as for the answer to a question of their server.
"""

from collections import Counter
from typing import Final

from msgspec import Struct

from gateway.admission.action import Answer
from gateway.admission.refusal import JSON
from gateway.pipeline.heavy_turns import LARGE
from gateway.protocol.errors import failure_body
from gateway.server.parse_request import RejectedMessage

_RETRY: Final = (("retry-after", "1"),)


class CallerLimits(Struct, frozen=True, kw_only=True):
    """What one caller may have under way in one worker."""

    requests: int = 512
    body_bytes: int = 64 * 1024 * 1024


class OpenRequest:
    """A request under way, and the bytes of its body that were read."""

    __slots__ = ("_held", "_most", "key", "size")

    def __init__(self, key: str, held: Counter[str], most: int) -> None:
        """Take its caller, the bytes that callers hold, and how many of them one may hold."""
        self.key: Final = key
        self.size = 0
        self._held: Final = held
        self._most: Final = most

    def take(self, size: int) -> bool:
        """Count `size` more bytes of the body; return false if the caller's requests now hold more than the limit.

        A request that alone holds bytes always may, and so may a small one.
        """
        self.size += size
        self._held[self.key] += size
        held = self._held[self.key]
        return held <= self._most or held == self.size or self.size < LARGE


class Exchanges:
    """Counts for one worker."""

    def __init__(self, limits: CallerLimits) -> None:
        """Take what each caller may have."""
        self._limits: Final = limits
        self._open: Final[Counter[str]] = Counter()
        self._held: Final[Counter[str]] = Counter()

    def begin(self, key: str) -> OpenRequest | None:
        """Count a request until its `end`; return null if its caller has too many."""
        count = self._open.get(key, 0)
        if count >= self._limits.requests:
            return None
        self._open[key] = count + 1
        return OpenRequest(key, self._held, self._limits.body_bytes)

    def end(self, request: OpenRequest) -> None:
        """Stop counting a request and its bytes."""
        key = request.key
        self._open[key] -= 1
        self._held[key] -= request.size
        if not self._open[key]:
            del self._open[key], self._held[key]

    def too_many(self) -> RejectedMessage:
        """Return how a request of a caller with too many is turned away."""
        most = self._limits.requests
        why = f"{most} requests of this caller are under way (limits.exchanges_per_principal)"
        return _turned_away("too_many_exchanges", why)

    def too_large(self) -> RejectedMessage:
        """Return how a request is turned away whose caller holds too many bytes."""
        most = self._limits.body_bytes
        why = f"with this one, the caller's requests under way would hold more than {most} bytes"
        return _turned_away("too_many_bytes", f"{why} (limits.bytes_per_principal)")


def _turned_away(code: str, why: str) -> RejectedMessage:
    body = failure_body(None, "rate_limited", f"{why}; wait for their answers")
    return RejectedMessage(code=code, detail=why, answer=Answer(status=429, body=body, headers=(*JSON, *_RETRY)))
