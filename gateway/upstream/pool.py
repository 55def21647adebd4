"""The open connections of a worker, by origin.

Rule 1: a connection rests for less long than common servers keep one (5 s), so that none is used that just closed.
Rule 2: every address of a name gets its share of the time to connect; certificates are always verified.
"""

import asyncio
import socket
import ssl
from collections import defaultdict, deque
from typing import Final

from gateway.pipeline.ports import UpstreamFailure
from gateway.upstream.address import Address
from gateway.upstream.failures import CROWDED, UNRESOLVED, of_error
from gateway.upstream.wire import Origin, Wire

CONNECT_S: Final = 10.0
KEEP_S: Final = 3.0
CONNECTIONS: Final = 4_000
"""Open connections of one worker to all upstreams."""
_ADDRESSES: Final = 8
_CLOSE_S: Final = 2.0


class Pool:
    """Connections that are open, and those of them that rest."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        """Take the context that knows which certificate authorities count."""
        self._trust: Final = trust
        self._open: Final[set[Wire]] = set()
        self._resting: Final[defaultdict[Origin, deque[Wire]]] = defaultdict(deque)
        self._sweep: asyncio.TimerHandle | None = None
        self._empty: Final = asyncio.Event()

    def rested(self, origin: Origin) -> Wire | None:
        """Return the connection that rests since the shortest time; null where none does."""
        resting = self._resting.get(origin)
        while resting:
            wire = resting.pop()
            if wire.alive:
                return wire
        return None

    async def connect(self, address: Address) -> Wire | UpstreamFailure:
        """Return a new connection."""
        if len(self._open) >= CONNECTIONS:
            return CROWDED
        try:
            async with asyncio.timeout(CONNECT_S):
                return await self._connected(address)
        except TimeoutError as error:
            return of_error(error)
        except socket.gaierror:
            return UNRESOLVED

    async def close(self) -> None:
        """Drop every connection, and wait until they are gone."""
        if self._sweep is not None:
            self._sweep.cancel()
        for wire in list(self._open):
            wire.abort()
        if self._open:
            async with asyncio.timeout(_CLOSE_S):
                await self._empty.wait()

    def made(self, wire: Wire) -> None:
        """Take note of a connection."""
        self._open.add(wire)
        self._empty.clear()

    def rest(self, wire: Wire) -> None:
        """Keep a connection for another exchange."""
        loop = asyncio.get_running_loop()
        wire.rested_at = loop.time()
        self._resting[wire.origin].append(wire)
        if self._sweep is None:
            self._sweep = loop.call_later(KEEP_S, self._swept)

    def lost(self, wire: Wire) -> None:
        """Take note that a connection is gone."""
        self._open.discard(wire)
        if not self._open:
            self._empty.set()

    async def _connected(self, address: Address) -> Wire | UpstreamFailure:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        failure: UpstreamFailure = UNRESOLVED
        for _, _, _, _, place in found[:_ADDRESSES]:
            try:
                async with asyncio.timeout(CONNECT_S / min(len(found), _ADDRESSES)):
                    return await self._opened(address, str(place[0]))
            except OSError as error:  # of the socket, of TLS, or TimeoutError
                failure = of_error(error)
        return failure

    async def _opened(self, address: Address, numeric: str) -> Wire:
        _, wire = await asyncio.get_running_loop().create_connection(
            lambda: Wire(self, address.origin),
            numeric,
            address.port,
            ssl=self._trust if address.tls else None,
            server_hostname=address.host if address.tls else None,
        )
        return wire

    def _swept(self) -> None:
        """Drop the connections that rest for too long, and those that are gone."""
        loop = asyncio.get_running_loop()
        self._sweep = None
        oldest = loop.time() - KEEP_S
        for origin, resting in list(self._resting.items()):
            while resting and (not resting[0].alive or resting[0].rested_at <= oldest):
                resting.popleft().abort()
            if not resting:
                del self._resting[origin]
        if self._resting:
            self._sweep = loop.call_later(KEEP_S, self._swept)
