"""HTTP exchanges with OPA as bytes, and the Protocol of the transports.

Rule 1: a transport returns `Exchanged` or `Broken` and raises nothing except cancellation.
Rule 2: a transport never repeats a query, with one exception: a kept-alive connection turns out dead before any byte of
the response was read. That is a race with OPA's idle timeout or restart, not a response.
"""

from typing import Protocol

from msgspec import Struct


class Exchanged(Struct, frozen=True):
    """A complete HTTP response."""

    status: int
    body: bytes


class Broken(Struct, frozen=True):
    """An incomplete HTTP exchange; `detail` gives the reason and is safe to show."""

    detail: str


class Transport(Protocol):
    """A client for HTTP exchanges with one OPA. `body` None sends a GET, otherwise a POST of JSON."""

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken: ...
    async def close(self) -> None: ...


MAX_ANSWER = 16 * 1024 * 1024
"""Maximum bytes of one response; a listing of 10,000 items is below 1 MiB."""

CONNECTIONS = 72
"""Concurrent exchanges: more than callers have slots (see `limiter`), so that the gateway's own need not wait."""
