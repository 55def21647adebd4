"""Graceful close of a connection whose client has not sent or read everything.

Rule 1: closing with unread bytes resets the connection, and the client would lose the response. So the response is
completed first, and further input is dropped, with a limit in bytes and in time.
"""

import asyncio
from typing import Final

from gateway.listening.connections import Connection, Connections


class ClosingConnections:
    """The closing of one connection."""

    def __init__(self, transport: asyncio.Transport, connections: Connections, connection: Connection) -> None:
        self._transport: Final = transport
        self._connections: Final = connections
        self._connection: Final = connection
        self._left = connections.limits.linger_bytes
        self.begun = False

    def begin(self) -> None:
        """Stop writing, and drop input until the client closes or a limit is reached."""
        if self.begun or self._transport.is_closing():
            return
        self.begun = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._connections.wait(self._connection, self._connections.limits.linger_s)

    def drop(self, size: int) -> None:
        """Count dropped bytes; close the connection if there are too many."""
        self._left -= size
        if self._left < 0:
            self.close()

    def close(self) -> None:
        """Close the connection as soon as the client has received the written data."""
        self._transport.close()
        self._connections.wait(self._connection, self._connections.limits.stall_s)
