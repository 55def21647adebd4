"""Acceptor of one listening socket; it counts connections before it reads from them.

Rule 1: a connection has a deadline and counts for its address from the accept on, including its TLS handshake.
Rule 2: a connection over the limit is closed, after a 503 if the listener has no TLS. With TLS it is closed before the
handshake.
Rule 3: an error of accept, such as too many open files, pauses the acceptor, so that it does not retry in a busy loop.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Final

from gateway.listening.certificate import Certificate
from gateway.listening.connections import Connection, Connections, Ending

PAUSE_S: Final = 0.25
_RETRY_S: Final = 0.02
"""The pause after other connections were closed to make room."""
_BATCH: Final = 8
"""Connections accepted in one pass of the event loop."""
_LATER: Final = frozenset({errno.EAGAIN, errno.EINTR, errno.ECONNABORTED, errno.EPROTO})
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-type: text/plain\r\ncontent-length: 26\r\n"
    b"connection: close\r\n\r\nToo many open connections."
)


class Acceptor:
    """Acceptor of connections until it is closed; `make` returns the protocol of a connection."""

    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        make: Callable[[Connection], asyncio.BaseProtocol],
        certificate: Certificate | None = None,
    ) -> None:
        self._listener: Final = listener
        self._connections: Final = connections
        self._make: Final = make
        self._loop: Final = asyncio.get_running_loop()
        self._opening: Final[set[asyncio.Task[None]]] = set()
        self._resuming: asyncio.TimerHandle | None = None
        self._certificate: Final = certificate
        self.failed = ""
        """The reason why the last accept failed; empty if it succeeded."""

    def start(self) -> None:
        """Start to accept connections."""
        self._listener.settimeout(0)
        self._resume()

    def close(self) -> None:
        """Stop accepting, and cancel the handshakes that are under way."""
        self._loop.remove_reader(self._listener.fileno())
        if self._resuming is not None:
            self._resuming.cancel()
        for opening in tuple(self._opening):
            opening.cancel()

    def _resume(self) -> None:
        self._resuming = None
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_BATCH):
            try:
                client, address = self._listener.accept()
            except OSError as error:
                if error.errno not in _LATER:
                    self._pause(error)
                elif error.errno == errno.EAGAIN:
                    self.failed = ""
                return
            self.failed = ""
            self._admit(client, str(address[0]) if address else "")

    def _pause(self, error: OSError) -> None:
        self.failed = error.strerror or os.strerror(error.errno or 0)
        self._connections.refusals.note("descriptors", "")
        roomy = self._connections.make_room(_BATCH)
        self._loop.remove_reader(self._listener.fileno())
        self._resuming = self._loop.call_later(_RETRY_S if roomy else PAUSE_S, self._resume)

    def _admit(self, client: socket.socket, host: str) -> None:
        opening = _Opening(client)
        connection = self._connections.admit(host, opening.end)
        if connection is None:
            self._turn_away(client)
            return

        def done(task: asyncio.Task[None]) -> None:
            self._opening.discard(task)
            if opening.failed or task.cancelled():
                self._connections.leave(connection)
            if not opening.made:  # also if it was canceled before its first step
                client.close()

        opening.task = self._loop.create_task(self._open(opening, connection))
        opening.task.add_done_callback(done)
        self._opening.add(opening.task)

    async def _open(self, opening: "_Opening", connection: Connection) -> None:
        context = self._certificate.context if self._certificate is not None else None
        handshake_s = None if context is None else self._connections.limits.head_s

        def make() -> asyncio.BaseProtocol:
            opening.made = True
            return self._make(connection)

        try:
            client = opening.client
            client.settimeout(0)
            if client.family in {socket.AF_INET, socket.AF_INET6}:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(make, client, ssl=context, ssl_handshake_timeout=handshake_s)
        except OSError:  # includes ssl.SSLError: the handshake failed or took too long
            opening.failed = True

    def _turn_away(self, client: socket.socket) -> None:
        """Send a 503 without waiting. Read the client's data first, because unread data would reset the connection."""
        with client:
            if self._certificate is None:
                try:
                    client.settimeout(0)
                    client.send(_FULL)
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1 << 16)
                except OSError:
                    return


class _Opening:
    """An accepted connection without a protocol."""

    def __init__(self, client: socket.socket) -> None:
        self.client: Final = client
        self.task: asyncio.Task[None] | None = None
        self.made = False
        """True when the event loop owns the socket and closes it."""
        self.failed = False

    def end(self, _why: Ending) -> None:
        """Close the connection."""
        if self.task is not None:
            self.task.cancel()
