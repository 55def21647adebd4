"""Lookups of host names, so that a name without an answer does not delay calls to other servers.

Rule 1: a name is looked up once at a time, and all waiters share the result. A numeric address is not looked up.
Rule 2: each lookup has its own thread, at most `LOOKUPS` at a time. A lookup cannot be interrupted, and the event loop
itself runs at most four at a time: four names without an answer would stop all other lookups.
"""

import asyncio
import contextlib
import ipaddress
import socket
from threading import Thread
from typing import Final

from gateway.pipeline.ports import UpstreamFailure
from gateway.upstream.failures import LOOKUP_FAILED, UNRESOLVED

LOOKUPS: Final = 64
"""Maximum concurrent lookups. Further ones wait."""


class DnsLookups:
    """The lookups of one event loop."""

    def __init__(self, most: int = LOOKUPS) -> None:
        """Take the maximum of concurrent lookups."""
        self._slots: Final = asyncio.Semaphore(most)
        self._running: Final[dict[str, asyncio.Task[list[str] | UpstreamFailure]]] = {}

    async def addresses(self, host: str) -> list[str] | UpstreamFailure:
        """Return the numeric addresses of a host in the order to try them, or the failure of the lookup.

        A caller may cancel its wait. The lookup continues as long as the operating system waits for an answer.
        """
        if _is_numeric(host):
            return [host]
        running = self._running.get(host)
        if running is None:
            running = self._running[host] = asyncio.create_task(self._looked_up(host), name="lookup")
        return await asyncio.shield(running)

    async def _looked_up(self, host: str) -> list[str] | UpstreamFailure:
        try:
            async with self._slots:
                found: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
                Thread(target=_look_up, args=(host, found), name="lookup", daemon=True).start()
                return await found or UNRESOLVED
        except RuntimeError:  # the operating system cannot start another thread
            return LOOKUP_FAILED
        finally:
            del self._running[host]


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _look_up(host: str, found: asyncio.Future[list[str]]) -> None:
    """Look up a name in its own thread, and pass the result to the event loop."""
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = [str(place[0]) for *_, place in infos]
    except (OSError, UnicodeError):  # `UnicodeError`: a label of more than 63 characters
        addresses = []
    with contextlib.suppress(RuntimeError):  # the event loop is closed
        found.get_loop().call_soon_threadsafe(_settle, found, addresses)


def _settle(found: asyncio.Future[list[str]], addresses: list[str]) -> None:
    if not found.done():
        found.set_result(addresses)
