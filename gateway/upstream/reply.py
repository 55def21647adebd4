"""A reply whose head has arrived. Its body is read only as far as it is consumed.

Rule 1: at most one buffer of the body is held, except by `read`, which has a limit.
Rule 2: a body that ends earlier than its framing announces is a failure, not an end.
Rule 3: the receiver of a reply must close it. A drain is limited in bytes and time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

from gateway.pipeline.loop_deadlines import WaitBudget
from gateway.pipeline.ports import Media, UpstreamFailure
from gateway.upstream.connection import ReplyHead
from gateway.upstream.failures import SILENT, SLOW, too_large
from gateway.upstream.headers import coming

DRAIN_BYTES: Final = 8 * 1024 * 1024
DRAIN_S: Final = 60.0
FINISH_BYTES: Final = 64 * 1024
FINISH_S: Final = 1.0
"""Limits of the data after a complete answer that is read so that the connection can be used again."""

Spawn = Callable[[Coroutine[Any, Any, None]], object]
"""Run a coroutine to its end, or to the end of the worker, independently of the task that starts it."""

_MEDIA: Final[dict[str, Media]] = {"": "json", "application/json": "json", "text/event-stream": "sse"}


class ReplyDeadlines:
    """The deadlines of a reply: for the head and a whole body together, and between two pieces of a stream."""

    __slots__ = ("idle_s", "patience")

    def __init__(self, *, patience: WaitBudget, idle_s: float | None) -> None:
        """Take both. `idle_s` is in seconds, or null for a stream that may be silent forever."""
        self.patience: Final = patience
        self.idle_s: Final = idle_s


class HttpReply:
    """One reply of an upstream over HTTP."""

    def __init__(self, head: ReplyHead, limits: ReplyDeadlines, spawn: Spawn) -> None:
        """Take the head of an answer."""
        self.status: Final = head.status
        self.headers: Final = coming(head.headers)
        self.media: Final = media_of(head)
        self._announced: Final = head.get("content-length")
        self._body: Final = head.body
        self._limits: Final = limits
        self._spawn: Final = spawn
        self._put_back: list[bytes] = []

    async def read(self, limit: int) -> bytes | UpstreamFailure:
        """Return the whole body, or its failure: late, cut off, or longer than `limit` bytes.

        A body that is too long can still be read completely with `chunks`.
        """
        if len(self._announced) >= len(str(limit)) and self._announces_more(limit):
            return too_large(limit)
        pieces: list[bytes] = []
        size = 0
        while True:
            piece = self._body.taken() if self._body.ended else await self._arrived()
            if isinstance(piece, UpstreamFailure):
                return self._given_up(piece)
            if not piece:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                self._put_back = pieces
                return too_large(limit)

    async def chunks(self) -> AsyncIterator[bytes | UpstreamFailure]:
        """Yield the pieces of the body as they arrive. A failure is the last value."""
        while self._put_back:
            yield self._put_back.pop(0)
        while True:
            try:
                async with WaitBudget(self._limits.idle_s):
                    piece = await self._body.next()
            except TimeoutError:
                piece = SILENT
            if isinstance(piece, UpstreamFailure):
                yield self._given_up(piece)
                return
            if not piece:
                return
            yield piece

    async def close(self, *, drain: bool) -> None:
        """End the exchange at once, or after the answer if the server would take that for a cancellation."""
        if drain and not self._body.ended:
            self._spawn(self._drained(DRAIN_BYTES, DRAIN_S))
        else:
            self._body.abort()

    async def finish(self) -> None:
        """End a complete exchange: read the little data that may follow, or else close the connection."""
        if self._body.ended:
            self._body.abort()
        else:
            self._spawn(self._drained(FINISH_BYTES, FINISH_S))

    def _announces_more(self, limit: int) -> bool:
        """Return whether `Content-Length` exceeds the limit. It may have thousands of digits, so texts are compared."""
        announced = self._announced.lstrip("0")
        return announced.isdecimal() and (len(announced), announced) > (len(str(limit)), str(limit))

    async def _arrived(self) -> bytes | UpstreamFailure:
        try:
            async with self._limits.patience:
                return await self._body.next()
        except TimeoutError:
            return SLOW

    async def _drained(self, left: int, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while left > 0 and isinstance(piece := await self._body.next(), bytes) and piece:
                    left -= len(piece)
        except TimeoutError:
            pass  # no client waits for this answer, so a timeout does not matter
        finally:
            self._body.abort()

    def _given_up(self, failure: UpstreamFailure) -> UpstreamFailure:
        self._body.abort()
        return failure


def media_of(head: ReplyHead) -> Media:
    """Return the kind of the body according to its headers. A body without a type is JSON or empty."""
    if head.body.empty or head.get("content-length") == "0":
        return "empty"
    written = head.get("content-type")
    if written in _MEDIA:
        return _MEDIA[written]
    kind, _, rest = written.partition(";")
    media = _MEDIA.get(kind.strip().lower(), "other")
    if media == "other":
        return media
    parameters = (part.partition("=") for part in rest.lower().split(";"))
    charsets = {value.strip(_QUOTED) for name, _, value in parameters if name.strip() == "charset"}
    return media if charsets <= _UTF8 else "charset"


_QUOTED: Final = " \t\"'"
_UTF8: Final = frozenset({"", "utf-8", "utf8", "utf_8", "us-ascii", "ascii"})
"""Common names of UTF-8. ASCII is a subset of it. A body with any of these names is read as UTF-8."""
