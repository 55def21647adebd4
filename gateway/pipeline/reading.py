"""Reading from connections in small pieces, so that no packet of one holds the event loop.

Rule 1: at most `PIECE` bytes are read from a connection in one pass of the loop.
Rule 2: a connection whose piece took long to read, such as one of a thousand chunks, rests until its turn.
Rule 3: if all connections together are read for more than a quarter of the time, those with more to read rest too.
"""

import asyncio
import time
from collections.abc import Hashable
from typing import Final, Protocol, cast
from weakref import WeakKeyDictionary

from gateway.pipeline.turns import SLICE_S, loop_turns

PIECE: Final = 16 * 1024


class Reader(Protocol):
    """A protocol whose reading is paced."""

    def connection_made(self, transport: asyncio.Transport, /) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def data_received(self, data: bytes, /) -> None: ...
    def eof_received(self) -> bool | None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...

    def owner(self) -> Hashable:
        """Return on whose behalf the connection waits for its turn."""
        ...

    def rest(self) -> None:
        """Read nothing more until `go_on`."""
        ...

    def go_on(self) -> None:
        """Read again, unless there is another reason not to."""
        ...


class _Common:
    """What all connections of an event loop have in common: the time for reading, and where they read into."""

    def __init__(self) -> None:
        self.buffer: Final = memoryview(bytearray(PIECE))
        """What is read into it is copied before the next connection is read."""
        self._since = self._read_s = 0.0

    def exceeded(self, now: float, took_s: float) -> bool:
        """Count the time that a piece took; return whether reading has had its share of the time."""
        if now - self._since >= 4 * SLICE_S:
            self._since, self._read_s = now, 0.0
        self._read_s += took_s
        return self._read_s >= SLICE_S


def _common() -> _Common:
    """Return what connections of the running event loop have in common."""
    loop = asyncio.get_running_loop()
    common = _OF_LOOPS.get(loop)
    if common is None:
        common = _OF_LOOPS[loop] = _Common()
    return common


_OF_LOOPS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Common]] = WeakKeyDictionary()


class PacedReading(asyncio.BufferedProtocol):
    """Reads for another protocol."""

    def __init__(self, reader: Reader) -> None:
        """Take what reads the pieces."""
        self._reader: Final = reader
        self._common: Final = _common()
        self.connection_lost: Final = reader.connection_lost
        self.eof_received: Final = reader.eof_received
        self.pause_writing: Final = reader.pause_writing
        self.resume_writing: Final = reader.resume_writing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        self._reader.connection_made(cast("asyncio.Transport", transport))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next piece is written."""
        del sizehint  # a suggestion
        return self._common.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take a piece; rest if it took long, or if there is more to read than there is time."""
        began = time.perf_counter()
        self._reader.data_received(bytes(self._common.buffer[:nbytes]))
        took_s = time.perf_counter() - began
        if took_s >= SLICE_S or (nbytes == PIECE and self._common.exceeded(began, took_s)):
            turns = loop_turns().long
            turns.worked(took_s)
            self._reader.rest()
            turns.turn(self._reader.owner()).add_done_callback(self._go_on)

    def _go_on(self, _turn: asyncio.Future[None]) -> None:
        self._reader.go_on()
