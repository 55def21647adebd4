"""The addresses of host names, looked up so that a name that gets no answer does not delay calls to other servers.

Rule 1: a name is looked up once at a time, and all that wait for it share the result. A numeric address is not looked
up.
Rule 2: each lookup has a thread of its own, at most `LOOKUPS` at a time. A lookup cannot be interrupted, and the event
loop runs at most four at a time: four names that get no answer would stop all other lookups.
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
"""Names that are looked up at the same time; further ones wait."""


class DnsLookups:
    """The lookups of one event loop."""

    def __init__(self, most: int = LOOKUPS) -> None:
        """Take how many names may be looked up at the same time."""
        self._slots: Final = asyncio.Semaphore(most)
        self._running: Final[dict[str, asyncio.Task[list[str] | UpstreamFailure]]] = {}

    async def addresses(self, host: str) -> list[str] | UpstreamFailure:
        """Return the numeric addresses of a host, in the order to try them, or why there are none.

        A caller may cancel its wait; the lookup continues, as long as the operating system waits for an answer.
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
        except RuntimeError:  # the operating system gives no more threads
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
    """Look a name up, in a thread of its own, and pass the result to the event loop."""
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
