"""Listening sockets: one, or several on one port. The supervisor binds them and its workers inherit them.

Rule 1: a port that another process listens on is an error, even if the kernel would share it.
Rule 2: if the kernel distributes connections over sockets, each worker has its own. The supervisor keeps it open, so
that connections wait in its queue while a worker is replaced.
"""

import socket
import sys
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

BACKLOG: Final = 2048
SPREADS: Final = sys.platform == "linux"


class Unbound(Struct, frozen=True):
    """The reason why the listener cannot be opened."""

    message: str


def bind(host: str, port: int, count: int) -> Sequence[socket.socket] | Unbound:
    """Return one socket for each worker, all on the same address; port 0 selects a free port."""
    try:
        family, address = _resolved(host, port)
        if not SPREADS or count == 1:
            return [_listening(family, address, shared=False)] * count
        return _spread(family, address, count)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return Unbound(
            f"cannot listen on {host}:{port}: {reason}. Choose another port, or stop the process that uses this one."
        )


def _spread(family: int, address: tuple[str, int], count: int) -> list[socket.socket]:
    with _bound(family, address, shared=False) as alone:  # the kernel would let a second gateway share the port
        taken = (address[0], alone.getsockname()[1])
    return [_listening(family, taken, shared=True) for _ in range(count)]


def _resolved(host: str, port: int) -> tuple[int, tuple[str, int]]:
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, address = found[0]
    return family, (str(address[0]), port)


def _listening(family: int, address: tuple[str, int], *, shared: bool) -> socket.socket:
    listener = _bound(family, address, shared=shared)
    listener.listen(BACKLOG)
    listener.settimeout(0)
    return listener


def _bound(family: int, address: tuple[str, int], *, shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener
