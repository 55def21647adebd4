"""The body of a reply, between its connection and its reader.

Rule 1: if more than `HIGH` bytes wait to be read, the connection stops reading until they are taken.
Rule 2: a body ends or fails exactly once. Data that arrived before can still be read.
"""

import asyncio
from typing import Final, Protocol

from gateway.pipeline.ports import UpstreamFailure

HIGH: Final = 256 * 1024


class Tap(Protocol):
    """The source of a body."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def abort(self) -> None: ...


class ReplyBody:
    """The pieces of one body, in order."""

    __slots__ = ("_failure", "_held", "_pieces", "_tap", "_waiter", "ended", "paused")

    def __init__(self, tap: Tap) -> None:
        """Take the source of the body."""
        self.ended = False
        """True if nothing more arrives. Data that has arrived may still be unread."""
        self._tap: Final = tap
        self._pieces: Final[list[bytes]] = []
        self._held = 0
        self.paused = False
        """True if reading is paused until the bytes that have arrived are taken."""
        self._failure: UpstreamFailure | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def empty(self) -> bool:
        """Return whether the body ended without a failure and there is nothing to read."""
        return self.ended and not self._pieces and self._failure is None

    def add(self, piece: bytes) -> None:
        """Add a piece that arrived."""
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > HIGH and not self.paused:
            self.paused = True
            self._tap.pause()
        self._wake()

    def end(self, failure: UpstreamFailure | None = None) -> None:
        """Mark the end of the body, with the failure if there is one."""
        if not self.ended:
            self.ended = True
            self._failure = failure
            self._let_flow()
            self._wake()

    async def next(self) -> bytes | UpstreamFailure:
        """Wait for data, and return everything that arrived since the last call, or the empty value at the end."""
        while not self._pieces and not self.ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self.taken()

    def taken(self) -> bytes | UpstreamFailure:
        """Return the available data without waiting. It is empty if there is none."""
        if not self._pieces:
            return self._failure or b""
        piece = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        self._let_flow()
        return piece

    def abort(self) -> None:
        """Discard unread data, and close the connection if the body is still arriving."""
        self._pieces.clear()
        if not self.ended:
            self._tap.abort()

    def _let_flow(self) -> None:
        if self.paused:
            self.paused = False
            self._tap.resume()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
