"""The open requests, counted by caller, so that no caller uses up the memory and the time of the others.

Rule 1: a request counts from its verified credential to the end of its answer. Its bytes count from the first byte of
the body.
Rule 2: callers without a credential are one principal, so they are counted by their address.
Rule 3: if no other request of a caller uses bytes, the next one is accepted, however large it is. A small request is
always accepted, because running calls may wait for it, for example for the answer to a question of their server.
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
    """The limits of one caller in one worker."""

    requests: int = 512
    body_bytes: int = 64 * 1024 * 1024


class OpenRequest:
    """An open request, and the bytes read of its body."""

    __slots__ = ("_held", "_most", "key", "size")

    def __init__(self, key: str, held: Counter[str], most: int) -> None:
        """Take the caller, the bytes that callers use, and the maximum for one caller."""
        self.key: Final = key
        self.size = 0
        self._held: Final = held
        self._most: Final = most

    def take(self, size: int) -> bool:
        """Count `size` more bytes of the body, and return false if the caller's requests now exceed the limit.

        A small request always passes, and so does the only request that uses bytes.
        """
        self.size += size
        self._held[self.key] += size
        held = self._held[self.key]
        return held <= self._most or held == self.size or self.size < LARGE


class Exchanges:
    """The counts of one worker."""

    def __init__(self, limits: CallerLimits) -> None:
        """Take the limits of each caller."""
        self._limits: Final = limits
        self._open: Final[Counter[str]] = Counter()
        self._held: Final[Counter[str]] = Counter()

    def begin(self, key: str) -> OpenRequest | None:
        """Count a request until its `end`. Return null if its caller has too many."""
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
        """Return the rejection of a request whose caller has too many open requests."""
        most = self._limits.requests
        why = f"this caller already has {most} open requests (limits.exchanges_per_principal)"
        return _turned_away("too_many_exchanges", why)

    def too_large(self) -> RejectedMessage:
        """Return the rejection of a request whose caller uses too many bytes."""
        most = self._limits.body_bytes
        why = f"with this one, the caller's open requests would use more than {most} bytes"
        return _turned_away("too_many_bytes", f"{why} (limits.bytes_per_principal)")


def _turned_away(code: str, why: str) -> RejectedMessage:
    body = failure_body(None, "rate_limited", f"{why}; wait for their answers")
    return RejectedMessage(code=code, detail=why, answer=Answer(status=429, body=body, headers=(*JSON, *_RETRY)))
