"""The open connections of a worker, by origin.

Rule 1: an idle connection is used again only within the limit of `keepalive`, and only if the server has neither sent
data nor closed it. The operating system is asked about that once, immediately before use: nothing is awaited between
this check and the write of the request.
Rule 2: an idle connection that is not used is closed after `WATCH_S`. It never displaces a new one.
Rule 3: every address of a name gets its share of the time to connect. Certificates are always verified.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from gateway.pipeline.bounded_reads import PacedReading
from gateway.pipeline.ports import UpstreamFailure
from gateway.upstream.address import UpstreamAddress
from gateway.upstream.connection import UpstreamConnection
from gateway.upstream.dns_lookups import DnsLookups
from gateway.upstream.failures import CROWDED, UNRESOLVED, UNWRITTEN, of_error
from gateway.upstream.keepalive import WATCH_S, Keepalive, Origin

CONNECT_S: Final = 10.0
CONNECTIONS: Final = 4_000
"""Maximum open connections of one worker to all upstreams."""
_ADDRESSES: Final = 8
_CLOSE_S: Final = 2.0

Now = Callable[[], float]
"""Seconds of a monotonic clock. Outside of tests it is the event loop's."""


class ConnectionPool:
    """The open connections, and the idle ones among them."""

    def __init__(self, trust: ssl.SSLContext, now: Now | None = None) -> None:
        """Take the context with the trusted certificate authorities, and the clock for idle time."""
        self._trust: Final = trust
        self._now: Final = now or asyncio.get_running_loop().time
        self._open: Final[set[UpstreamConnection]] = set()
        self._idle: Final[defaultdict[Origin, dict[UpstreamConnection, None]]] = defaultdict(dict)
        """The last entry is the connection that became idle last."""
        self._keepalive: Final = Keepalive()
        self._lookups: Final = DnsLookups()
        self._sweep: asyncio.TimerHandle | None = None
        self._empty: Final = asyncio.Event()

    def reusable(self, origin: Origin) -> UpstreamConnection | None:
        """Return the connection that became idle last, or null if none may be used again."""
        idle = self._idle.get(origin)
        while idle:
            wire = next(reversed(idle))
            wire.idle_s = self._now() - wire.idle_since
            if not wire.quiet():
                self._drop(wire)
                self._keepalive.closed(origin, wire.idle_s)
            elif wire.idle_s < self._keepalive.limit_s(origin, wire.promise):
                self._take(wire)
                return wire
            else:
                return None
        return None

    async def connect(self, address: UpstreamAddress) -> UpstreamConnection | UpstreamFailure:
        """Return a new connection, or `UNWRITTEN` if the server has already closed it or sent data."""
        if len(self._open) >= CONNECTIONS and not self._made_room():
            return CROWDED
        try:
            async with asyncio.timeout(CONNECT_S):
                wire = await self._connected(address)
        except TimeoutError as error:
            return of_error(error)
        if isinstance(wire, UpstreamConnection) and not wire.quiet():
            wire.abort()
            return UNWRITTEN
        return wire

    async def close(self) -> None:
        """Close every connection, and wait until all are closed."""
        if self._sweep is not None:
            self._sweep.cancel()
        self._idle.clear()
        for wire in list(self._open):
            wire.abort()
        if self._open:
            async with asyncio.timeout(_CLOSE_S):
                await self._empty.wait()

    def made(self, wire: UpstreamConnection) -> None:
        """Record a new connection."""
        self._open.add(wire)
        self._empty.clear()

    def release(self, wire: UpstreamConnection) -> None:
        """Keep a connection for another exchange."""
        wire.idle_since = self._now()
        self._idle[wire.origin][wire] = None
        if self._sweep is None:
            self._schedule()

    def lost(self, wire: UpstreamConnection) -> None:
        """Record that a connection is closed, and if it was idle, that the server closed it."""
        self._open.discard(wire)
        if wire in self._idle.get(wire.origin, ()):
            self._drop(wire)
            self._keepalive.closed(wire.origin, self._now() - wire.idle_since)
        if not self._open:
            self._empty.set()

    def closed_on_use(self, wire: UpstreamConnection) -> None:
        """Record that the server closed a reused connection while a request was written to it."""
        if wire.idle_s is not None:
            self._keepalive.closed(wire.origin, wire.idle_s)

    async def _connected(self, address: UpstreamAddress) -> UpstreamConnection | UpstreamFailure:
        found = await self._lookups.addresses(address.host)
        if isinstance(found, UpstreamFailure):
            return found
        failure: UpstreamFailure = UNRESOLVED
        for numeric in found[:_ADDRESSES]:
            try:
                async with asyncio.timeout(CONNECT_S / min(len(found), _ADDRESSES)):
                    return await self._opened(address, numeric)
            except OSError as error:  # from the socket, from TLS, or TimeoutError
                failure = of_error(error)
        return failure

    async def _opened(self, address: UpstreamAddress, numeric: str) -> UpstreamConnection:
        wire = UpstreamConnection(self, address.origin)
        await asyncio.get_running_loop().create_connection(
            lambda: PacedReading(wire),
            numeric,
            address.port,
            ssl=self._trust if address.tls else None,
            server_hostname=address.host if address.tls else None,
        )
        return wire

    def _made_room(self) -> bool:
        """Close one idle connection, so that connections to one server do not prevent a connection to another."""
        for idle in self._idle.values():
            for wire in idle:
                self._drop(wire)
                return True
        return False

    def _take(self, wire: UpstreamConnection) -> None:
        """Remove a connection from the idle ones."""
        idle = self._idle[wire.origin]
        del idle[wire]
        if not idle:
            del self._idle[wire.origin]

    def _drop(self, wire: UpstreamConnection) -> None:
        """Close an idle connection."""
        self._take(wire)
        wire.abort()

    def _schedule(self) -> None:
        if self._sweep is None and self._idle:
            oldest = min(next(iter(idle)).idle_since for idle in self._idle.values())
            delay_s = max(0.0, oldest + WATCH_S - self._now())
            self._sweep = asyncio.get_running_loop().call_later(delay_s, self._swept)

    def _swept(self) -> None:
        """Close the connections that were idle for `WATCH_S`."""
        self._sweep = None
        last = self._now() - WATCH_S
        for idle in list(self._idle.values()):
            for wire in [wire for wire in idle if wire.idle_since <= last]:
                if wire.quiet():
                    self._keepalive.stayed_open(wire.origin)
                self._drop(wire)
        self._schedule()
