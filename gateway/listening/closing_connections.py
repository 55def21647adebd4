"""The end of a connection whose client has not sent or read everything.

Rule 1: unread bytes at the close reset a connection, and a reset takes the answer from the client. So the answer is
ended first, and what the client still sends is dropped, bounded in bytes and in time.
"""

import asyncio
from typing import Final

from gateway.listening.connections import Connection, Connections


class ClosingConnections:
    """Ends one connection."""

    def __init__(self, transport: asyncio.Transport, connections: Connections, connection: Connection) -> None:
        self._transport: Final = transport
        self._connections: Final = connections
        self._connection: Final = connection
        self._left = connections.limits.linger_bytes
        self.begun = False

    def begin(self) -> None:
        """Write nothing more, and drop what the client sends until it closes or a limit is reached."""
        if self.begun or self._transport.is_closing():
            return
        self.begun = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._connections.wait(self._connection, self._connections.limits.linger_s)

    def drop(self, size: int) -> None:
        """Count bytes that nobody reads; close the connection if they are too many."""
        self._left -= size
        if self._left < 0:
            self.close()

    def close(self) -> None:
        """Close the connection, as soon as the client has taken what was written."""
        self._transport.close()
        self._connections.wait(self._connection, self._connections.limits.stall_s)
