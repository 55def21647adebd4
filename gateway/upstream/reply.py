"""A reply whose head has arrived: its body is read as far as somebody consumes it.

Rule 1: never more than a buffer of the body is held, unless `read` is asked for it with a limit.
Rule 2: a body that ends before its framing says so is a failure, not an end.
Rule 3: a reply is closed by whoever got it; to drain it is bounded in bytes and time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

import aiohttp

from gateway.pipeline.ports import Media, UpstreamFailure
from gateway.upstream.failures import ERRORS, SILENT, SLOW, of_body_error, too_large
from gateway.upstream.headers import coming

DRAIN_BYTES: Final = 8 * 1024 * 1024
DRAIN_S: Final = 60.0

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Runs a coroutine to its end, or to that of the worker, whoever started it."""


class Limits:
    """When patience ends: for the head and a whole body together, and between two pieces of a stream."""

    __slots__ = ("deadline", "idle_s")

    def __init__(self, *, deadline: float, idle_s: float | None) -> None:
        """Take a time of the event loop, and seconds; null for a stream that may be silent for ever."""
        self.deadline: Final = deadline
        self.idle_s: Final = idle_s


class HttpReply:
    """One reply of an upstream over HTTP."""

    def __init__(self, response: aiohttp.ClientResponse, limits: Limits, spawn: Spawn) -> None:
        """Take a response whose head has arrived, and was found to be an answer."""
        self.status: Final = response.status
        self.headers: Final = coming(response.headers.items())
        self.media: Final = media_of(response)
        self._response: Final = response
        self._limits: Final = limits
        self._spawn: Final = spawn

    async def read(self, limit: int) -> bytes | UpstreamFailure:
        """Return the whole body, or why there is none: longer than `limit` bytes, late, or cut off."""
        announced = self._response.content_length
        if announced is not None and announced > limit:
            return self._given_up(too_large(limit))
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout_at(self._limits.deadline):
                while piece := await self._response.content.readany():
                    size += len(piece)
                    if size > limit:
                        return self._given_up(too_large(limit))
                    pieces.append(piece)
        except TimeoutError:
            return self._given_up(SLOW)
        except ERRORS as error:
            return self._given_up(of_body_error(error))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def chunks(self) -> AsyncIterator[bytes | UpstreamFailure]:
        """Yield the body piece by piece as it arrives; a failure is the last thing that comes."""
        content = self._response.content
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_s):
                    piece = await content.readany()
            except TimeoutError:
                yield self._given_up(SILENT)
                return
            except ERRORS as error:
                yield self._given_up(of_body_error(error))
                return
            if not piece:
                return
            yield piece

    async def close(self, *, drain: bool) -> None:
        """End the exchange: at once, or, where the server would take that for a cancellation, after it has answered."""
        if self._response.content.at_eof() or not drain:
            self._response.close()
        else:
            self._spawn(self._drained()).add_done_callback(lambda _: self._response.close())

    async def _drained(self) -> None:
        left = DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_S):
                while left > 0 and (piece := await self._response.content.readany()):
                    left -= len(piece)
        except ERRORS:
            pass  # nobody waits for this answer: how it fails matters to nobody

    def _given_up(self, failure: UpstreamFailure) -> UpstreamFailure:
        self._response.close()
        return failure


def media_of(response: aiohttp.ClientResponse) -> Media:
    """Return what the body is, by its headers; what has another charset than UTF-8 is `other`."""
    if response.content.at_eof() or response.content_length == 0:
        return "empty"
    kind, _, rest = response.headers.get("Content-Type", "").partition(";")
    charset = rest.lower().replace('"', "").replace(" ", "").partition("charset=")[2].partition(";")[0]
    if charset not in {"", "utf-8"}:
        return "other"
    return {"application/json": "json", "text/event-stream": "sse"}.get(kind.strip().lower(), "other")  # pyright: ignore[reportReturnType]
