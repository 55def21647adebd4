"""Limits of a listener's connections: time in each phase, bytes, and number of connections."""

from msgspec import Struct

from gateway.listening.descriptors import MOST, connections_for


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """The limits of one listener in one process; the defaults suit every listener of the gateway and the hub."""

    total: int = connections_for(MOST)
    """Maximum open connections."""
    per_address: int = 128
    """Maximum connections of one address that wait for a request without a credential."""
    grace_s: float = 1
    """The time before a waiting connection may be closed for others of its address: many clients may share one address,
    and all connect at once after an outage."""
    head_bytes: int = 128 * 1024
    """Maximum size of request line and headers, and of chunk headers and trailers."""
    head_s: float = 15
    """Time from the first byte of a request, or from the connect, to the end of the head; also of a TLS handshake."""
    body_s: float = 60
    """Time from the first wait for a body to its end."""
    stall_s: float = 30
    """Time without a byte of an awaited body, or without reading by a client that has a response to read."""
    idle_s: float = 75
    """Time between requests: longer than clients wait, so that they close first."""
    linger_s: float = 10
    """Time in which the rest of a refused request is read, so that the client can read the response."""
    linger_bytes: int = 32 * 1024 * 1024
    unread_bytes: int = 128 * 1024 * 1024
    """Maximum bytes of unread responses of all connections."""
    trusted: tuple[str, ...] = ()
    """Addresses or networks of proxies, which have no limit per address."""

    @property
    def waiting(self) -> int:
        """Maximum connections of all addresses that wait for a request without a credential."""
        return max(1, self.total // 2)

    @property
    def shortest_s(self) -> float:
        """The shortest limit in time."""
        return min(self.head_s, self.body_s, self.stall_s, self.idle_s, self.linger_s)
