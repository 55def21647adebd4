"""Reading from connections in small pieces, so that no packet blocks the event loop for long.

Rule 1: at most `READ_BYTES` are read from a connection at a time.
Rule 2: after a piece that took long to read, such as one of a thousand chunks, the connection rests until its turn.
Rule 3: if reading takes more than a quarter of the time, all connections with more to read also rest.
"""

import asyncio
import time
from collections.abc import Hashable
from typing import Final, Protocol, cast

from gateway.pipeline.loop_turns import SLICE_S, loop_turns
from gateway.pipeline.per_loop import PerLoop

READ_BYTES: Final = 16 * 1024
"""Maximum bytes read from a connection at a time."""
_SHORT_S: Final = 0.0001
"""Seconds to read an ordinary request. After a longer piece, a connection may have to rest because of the others."""


class PacedProtocol(Protocol):
    """A protocol that can pause its reading."""

    def connection_made(self, transport: asyncio.Transport, /) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def data_received(self, data: bytes, /) -> None: ...
    def eof_received(self) -> bool | None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...

    def turn_key(self) -> Hashable:
        """Return the key under which the connection waits for its turn."""
        ...

    def pause_reading(self) -> None:
        """Stop reading until `resume_reading`."""
        ...

    def resume_reading(self) -> None:
        """Resume reading, unless the protocol has paused for another reason."""
        ...


class _ReadLimiter:
    """The reading time of all connections of an event loop, and their shared buffer."""

    def __init__(self) -> None:
        self.buffer: Final = memoryview(bytearray(READ_BYTES))
        """Its content is copied before the next connection is read."""
        self._since = self._read_s = 0.0

    def exceeded(self, now: float, took_s: float) -> bool:
        """Add the time of a piece, and return whether reading has used up its share of the time."""
        if now - self._since >= 4 * SLICE_S:
            self._since, self._read_s = now, 0.0
        self._read_s += took_s
        return self._read_s >= SLICE_S


_LOOPS: Final = PerLoop(_ReadLimiter)


class PacedReading(asyncio.BufferedProtocol):
    """Reader of a connection for another protocol."""

    def __init__(self, reader: PacedProtocol) -> None:
        """Take the protocol that receives the pieces."""
        self._reader: Final = reader
        self._limiter: Final = _LOOPS.here()
        self.connection_lost: Final = reader.connection_lost
        self.eof_received: Final = reader.eof_received
        self.pause_writing: Final = reader.pause_writing
        self.resume_writing: Final = reader.resume_writing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start reading."""
        self._reader.connection_made(cast("asyncio.Transport", transport))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer for the next piece."""
        del sizehint  # only a suggestion
        return self._limiter.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on a piece. Then rest if it took long, or if more data is waiting than there is time for."""
        began = time.perf_counter()
        self._reader.data_received(bytes(self._limiter.buffer[:nbytes]))
        took_s = time.perf_counter() - began
        exceeded = self._limiter.exceeded(began, took_s)
        if took_s >= SLICE_S or (exceeded and (nbytes == READ_BYTES or took_s > _SHORT_S)):
            turns = loop_turns().long
            turns.worked(took_s)
            self._reader.pause_reading()
            turns.turn(self._reader.turn_key()).add_done_callback(self._resume)

    def _resume(self, _turn: asyncio.Future[None]) -> None:
        self._reader.resume_reading()
