"""What connections may cost a listener: time in each phase, bytes, and their number."""

from msgspec import Struct

from gateway.listening.descriptors import MOST, connections_for


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """The limits of one listener in one process; the defaults suit every listener of ours."""

    total: int = connections_for(MOST)
    """Open connections."""
    per_address: int = 128
    """Connections of one address that wait for a request and have shown no credential."""
    grace_s: float = 1
    """How long a connection waits before it gives way to others of its address: many clients may share one, and all
    connect at once after an outage."""
    head_bytes: int = 128 * 1024
    """Request line and headers; also chunk headers and trailers."""
    head_s: float = 15
    """From the first byte of a request, or from the connection, to the end of the head; also a TLS handshake."""
    body_s: float = 60
    """From the first wait for a body to its end."""
    stall_s: float = 30
    """Without a byte of a body that is waited for, or while a client does not read its answer."""
    idle_s: float = 75
    """Between requests: longer than clients wait, so that they close first."""
    linger_s: float = 10
    """How long the rest of a refused request is read, so that the client can read the answer."""
    linger_bytes: int = 32 * 1024 * 1024
    unread_bytes: int = 128 * 1024 * 1024
    """Bytes of answers that clients have not read yet, of all connections."""
    trusted: tuple[str, ...] = ()
    """Addresses or networks of proxies, which have no limit for each address."""

    @property
    def waiting(self) -> int:
        """Connections that wait for a request and have shown no credential, of all addresses."""
        return max(1, self.total // 2)

    @property
    def shortest_s(self) -> float:
        """The shortest limit in time."""
        return min(self.head_s, self.body_s, self.stall_s, self.idle_s, self.linger_s)
