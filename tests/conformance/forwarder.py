"""One address that a catalog can name, for servers of the suite that each have a port of their own.

Rule 1: bytes pass unread in both directions; whoever runs a scenario says before where they go (`lead`).
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from msgspec import Struct

_CHUNK = 65536


class Forwarder(Struct):
    """A running forwarder: the port that it listens on, the one that leads it, and where it leads to now."""

    port: int = 0
    control: int = 0
    to: int = 0


@asynccontextmanager
async def forwarder() -> AsyncGenerator[Forwarder]:
    """Forward until the end of the block."""
    made = Forwarder()

    async def led(reader: StreamReader, writer: StreamWriter) -> None:
        made.to = int(await reader.readline())
        writer.write(b"ok\n")
        writer.close()

    async def forwarded(reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection("localhost", made.to)
            await asyncio.gather(_copied(reader, back), _copied(there, writer))
        writer.close()

    control = await asyncio.start_server(led, "127.0.0.1", 0)
    listening = await asyncio.start_server(forwarded, "127.0.0.1", 0)
    made.control, made.port = _port(control), _port(listening)
    async with control, listening:
        yield made


async def lead(control: int, to: int) -> None:
    """Lead the forwarder with this control port to another local port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", control)
    writer.write(f"{to}\n".encode())
    assert await reader.readline() == b"ok\n"
    writer.close()


async def _copied(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])
