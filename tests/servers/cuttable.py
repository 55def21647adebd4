"""A way to a server that can be cut: what travels on it breaks off, and nothing new gets through until it is mended.

    async with cuttable(hub.url) as way:
        ... way.url ...
        way.cut(); way.mend()

Rule 1: it passes bytes on as they come and reads nothing in them.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import urlsplit

_PIECE: Final = 1 << 16


class Way:
    """Made by `cuttable` only."""

    def __init__(self, url: str) -> None:
        """Take the address that it leads to."""
        self.url = ""
        self._to: Final = urlsplit(url)
        self._whole = True
        self._ends: Final[set[asyncio.StreamWriter]] = set()

    def cut(self) -> None:
        """Let nothing through from now on."""
        self._whole = False
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        """Let everything through again."""
        self._whole = True

    async def passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until one of its sides ends."""
        if not self._whole:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._ends.update((writer, back))
        try:
            await asyncio.wait(
                [asyncio.create_task(_pumped(reader, back)), asyncio.create_task(_pumped(there, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._ends.difference_update((writer, back))
            for end in (writer, back):
                end.transport.abort()


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()


@contextlib.asynccontextmanager
async def cuttable(url: str) -> AsyncGenerator[Way]:
    """A way to this address until the end of the block."""
    way = Way(url)
    listening = await asyncio.start_server(way.passed, "127.0.0.1", 0)
    way.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield way
    finally:
        listening.close()
        way.cut()
