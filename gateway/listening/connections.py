"""Open connections of a listener: their number, their deadlines, and which one is closed to make room.

Rule 1: without a credential a connection counts for its address (IPv6: the /64 network), with one for its principal.
Rule 2: if a limit is reached, the oldest waiting connection of the owner with the most connections is closed. A
connection with a request under way is never closed, unless its client does not read the response.
Rule 3: trusted proxies of the settings have no limit per address, because all clients behind them share one address.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import lru_cache
from math import inf
from typing import Final, Literal

from starlette.types import Scope

from gateway.listening.fair_queue import FairQueue
from gateway.listening.limits import ConnectionLimits
from gateway.listening.refused_connections import Refusals

EXTENSION: Final = "mcp-admission.connection"
Ending = Literal["deadline", "room", "unread"]
_PATIENCE_S: Final = 1.0
"""When too many responses wait, a client that has read nothing for this time may be disconnected."""


class Connection:
    """One connection; `end` closes it and receives the reason."""

    __slots__ = ("address", "deadline", "end", "held", "key", "open", "principal", "proxy", "since", "write_deadline")

    def __init__(self, address: str, *, proxy: bool, end: Callable[[Ending], None]) -> None:
        self.address: Final = address
        self.proxy: Final = proxy
        self.end = end
        self.principal = ""
        self.key = address
        self.since = -inf
        """The time at which it began to wait for a request."""
        self.deadline = inf
        self.write_deadline = inf
        self.held = 0
        """Bytes of responses that the client has not read."""
        self.open = True


class Connections:
    """All connections of one listener in one process; not thread-safe."""

    def __init__(self, limits: ConnectionLimits, refusals: Refusals, clock: Callable[[], float]) -> None:
        self.limits: Final = limits
        self.refusals: Final = refusals
        self._clock: Final = clock
        self._all: Final[set[Connection]] = set()
        self._strangers: Final[FairQueue[Connection]] = FairQueue()
        self._proxied: Final[FairQueue[Connection]] = FairQueue()
        self._known: Final[FairQueue[Connection]] = FairQueue()
        self._held: Final[Counter[str]] = Counter()
        self._unread = 0
        self._changed: Final = asyncio.Event()
        networks = [ipaddress.ip_network(network) for network in limits.trusted]

        def owner(host: str) -> tuple[str, bool]:
            return _owner(host, networks)

        self._owner: Final = lru_cache(maxsize=4096)(owner)

    def __len__(self) -> int:
        return len(self._all)

    async def emptied(self, seconds: float) -> None:
        """Wait until a connection has closed, or until the timeout."""
        self._changed.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    def close(self) -> None:
        """Close all connections at once."""
        for connection in tuple(self._all):
            self.leave(connection)
            connection.end("room")

    def full(self) -> bool:
        """Return whether no connection can be accepted, even by closing another one."""
        return len(self._all) >= self.limits.total and not (self._strangers or self._proxied or self._known)

    def admit(self, host: str, end: Callable[[Ending], None]) -> Connection | None:
        """Return a new connection, which waits for its first request, or None if no room can be made."""
        address, proxy = self._owner(host)
        if not proxy and self._crowded(address):
            while self._crowded(address):
                self._close(self._strangers.oldest(address), "connections_per_address", address)
        elif len(self._strangers) + len(self._proxied) >= self.limits.waiting:
            self._close(self._stranger(), "connections_without_credential", address)
        if len(self._all) >= self.limits.total and not self.make_room(1, address):
            self.refusals.note("connections", address)
            return None
        made = Connection(address, proxy=proxy, end=end)
        self._all.add(made)
        self.wait(made, self.limits.head_s)
        return made

    def _crowded(self, address: str) -> bool:
        """Return whether an address is at its limit of waiting connections and the oldest one is slow."""
        oldest = self._strangers.oldest(address)
        if oldest is None or self._strangers.count(address) < self.limits.per_address:
            return False
        return self._clock() - oldest.since >= self.limits.grace_s

    def make_room(self, most: int, address: str = "") -> bool:
        """Close up to `most` waiting connections without a credential, or one with; return whether one was closed."""
        closed = [True for _ in range(most) if self._close(self._stranger(), "connections", address)]
        return bool(closed) or self._close(self._known.oldest_of_most(), "connections", address)

    def wait(self, connection: Connection, seconds: float) -> None:
        """Mark the connection as waiting for a request, with this timeout."""
        connection.since = self._clock()
        connection.deadline = connection.since + seconds
        if connection.open:
            self._queue(connection).add(connection.key, connection)

    def expect(self, connection: Connection, deadline: float) -> None:
        """Set the deadline of a body. Without a verified credential the connection may be closed to make room."""
        connection.deadline = deadline
        if connection.open and not connection.principal:
            self._queue(connection).add(connection.key, connection)

    def work(self, connection: Connection) -> None:
        """Mark the connection as busy with a request."""
        connection.deadline = inf
        self._queue(connection).remove(connection.key, connection)

    def identify(self, connection: Connection, principal: str) -> None:
        """Count the connection for the principal of its credential from now on."""
        if principal and connection.principal != principal:
            self._queue(connection).remove(connection.key, connection)
            held = connection.held
            self._hold(connection, -held)
            connection.principal = connection.key = principal
            self._hold(connection, held)

    def leave(self, connection: Connection) -> None:
        """Remove a closed connection."""
        self._queue(connection).remove(connection.key, connection)
        self._all.discard(connection)
        self._hold(connection, -connection.held)
        connection.open = False
        self._changed.set()

    def refused(self, connection: Connection, limit: str) -> None:
        """Report that a connection has reached a limit, if one is named."""
        if limit:
            self.refusals.note(limit, connection.address)

    @contextmanager
    def unread(self, connection: Connection, size: int) -> Generator[None]:
        """Count a response that waits for its client to read. If too many wait, disconnect the slowest client."""
        if not connection.open:
            yield
            return
        self._hold(connection, size)
        try:
            self.relieve()
            yield
        finally:
            if connection.open:
                self._hold(connection, -size)

    def sweep(self) -> None:
        """End every connection whose deadline has passed."""
        now = self._clock()
        for connection in [one for one in self._all if one.deadline <= now or one.write_deadline <= now]:
            connection.end("deadline")
        self.relieve()

    def relieve(self) -> None:
        """Disconnect slow readers while the unread responses exceed their limit.

        Of the owner with the most unread bytes, the connection that has not read for the longest time is closed.
        """
        while self._unread > self.limits.unread_bytes:
            owner = max(self._held, key=lambda key: self._held[key])
            slow = [one for one in self._all if one.key == owner and one.held and one.write_deadline < inf]
            slowest = min(slow, key=lambda one: one.write_deadline, default=None)
            urgent = self._unread > 2 * self.limits.unread_bytes
            if slowest is None or not (urgent or self._stalled_s(slowest) >= _PATIENCE_S):
                return
            self.refusals.note("unread_bytes", slowest.address)
            self.leave(slowest)
            slowest.end("unread")

    def _stalled_s(self, connection: Connection) -> float:
        return self._clock() - (connection.write_deadline - self.limits.stall_s)

    def _queue(self, connection: Connection) -> FairQueue[Connection]:
        if connection.principal:
            return self._known
        return self._proxied if connection.proxy else self._strangers

    def _stranger(self) -> Connection | None:
        return self._strangers.oldest_of_most() or self._proxied.oldest_of_most()

    def _close(self, connection: Connection | None, limit: str, source: str) -> bool:
        if connection is None:
            return False
        self.refusals.note(limit, source)
        self.leave(connection)
        connection.end("room")
        return True

    def _hold(self, connection: Connection, size: int) -> None:
        connection.held += size
        self._unread += size
        self._held[connection.key] += size
        if not self._held[connection.key]:
            del self._held[connection.key]


def identify(scope: Scope, principal: str) -> None:
    """Count the connection of a request for the principal of its verified credential."""
    found = scope.get("extensions", {}).get(EXTENSION)
    if found is not None:
        found["connections"].identify(found["connection"], principal)


def connection_key(scope: Scope) -> str:
    """Return the key that the connection of a request counts for: the principal if known, otherwise the address."""
    found = scope.get("extensions", {}).get(EXTENSION)
    return "" if found is None else found["connection"].key


def closed(scope: Scope) -> bool:
    """Return whether the connection of a request is closed."""
    found = scope.get("extensions", {}).get(EXTENSION)
    return found is not None and not found["connection"].open


def _owner(host: str, trusted: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> tuple[str, bool]:
    """Return the key of a connection without a credential, and whether it is from a trusted proxy."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host, False
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    proxy = any(address in network for network in trusted)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False)), proxy
    return str(address), proxy
