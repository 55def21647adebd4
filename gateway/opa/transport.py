"""What goes to OPA and what comes back, as bytes, and the Protocol of whatever carries them.

Rule 1: a transport returns `Exchanged` or `Broken` and raises nothing but cancellation.
Rule 2: a transport never repeats a question, except once when a kept connection turns out dead before any byte of the
answer was read: that is a race with OPA's own idle timeout or restart, not an answer.
"""

from typing import Protocol

from msgspec import Struct


class Exchanged(Struct, frozen=True):
    """A complete HTTP answer."""

    status: int
    body: bytes


class Broken(Struct, frozen=True):
    """No complete answer; `detail` says why and is safe to show."""

    detail: str


class Transport(Protocol):
    """One HTTP exchange with one OPA; `body` None is a GET, else a POST of JSON."""

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken: ...
    async def close(self) -> None: ...


MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of one answer; a listing of 10,000 items is below 1 MiB."""

CONNECTIONS = 72
"""Exchanges at once: more than callers have places (see `places`), so that our own questions never wait for theirs."""
