"""One HTTP exchange with a client: read the whole body, write one answer, notice a disconnect.

Rule 1: a body is complete only after `more_body: false`. Anything else is dropped (PROTOCOL section 7).
Rule 2: nothing is written after the client has disconnected, and nothing is written twice.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec import Struct
from starlette.types import Receive, Scope, Send

from gateway.listening.request_id import request_id_of

Headers = Iterable[tuple[str, str]]


class BodyIncomplete(Struct, frozen=True):
    """The client disconnected or stopped sending before its body was complete."""


class BodyTooLarge(Struct, frozen=True):
    """The body is longer than the limit, in bytes."""

    limit: int


class ByteLimitReached(Struct, frozen=True):
    """The body was not read to its end, because the requests of its caller use too many bytes."""


class AsgiExchange:
    """The client's side of an exchange. `gone` becomes true when the client has disconnected."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the three arguments of ASGI. Nothing is read yet."""
        self.scope: Final = scope
        client = scope.get("client")
        self.source_ip: Final[str] = client[0] if client else ""
        self.request_id: Final = request_id_of(scope)
        self._receive: Final = receive
        self._send: Final = send
        self._watch: asyncio.Task[None] | None = None
        self._on_gone: Callable[[], None] | None = None
        self.gone = False
        self.started = False
        self.answering = False
        """True if the write of a whole answer has started."""
        self.ended = False
        """True if the answer was written to its end."""

    async def body(
        self, limit: int, take: Callable[[int], bool]
    ) -> bytes | BodyIncomplete | BodyTooLarge | ByteLimitReached:
        """Return the whole body, up to `limit` bytes. `take` returns whether that many more bytes may be kept."""
        chunks: list[bytes] = []
        size = 0
        while True:
            event = await self._receive()
            if event["type"] != "http.request":
                self.gone = True
                return BodyIncomplete()
            chunk: bytes = event.get("body", b"")
            size += len(chunk)
            if size > limit:
                return BodyTooLarge(limit)
            if not take(len(chunk)):
                return ByteLimitReached()
            if not event.get("more_body", False):
                return b"".join([*chunks, chunk]) if chunks else chunk
            chunks.append(chunk)

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Call `on_gone` once when the client disconnects. Use this only after the body was read."""
        self._on_gone = on_gone
        if self.gone:
            on_gone()
        elif self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._watched())

    def abort(self) -> None:
        """Write nothing more: the connection is closed before the end of the answer."""
        self.gone = True

    async def close(self) -> None:
        """Stop watching: `on_gone` is not called after this.

        If the answer has no end, the listener closes the connection next. A watch that ended later would change the
        deadline of the connection.
        """
        if self._watch is not None:
            self._watch.cancel()
            if not self.ended:
                await asyncio.wait({self._watch})

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Write a whole answer."""
        self.answering = True
        await self.start(status, [*headers, ("content-length", str(len(body)))] if status != _NO_BODY else headers)
        await self.write(body, more=False)

    async def start(self, status: int, headers: Headers) -> None:
        """Write the head of an answer."""
        if self.gone or self.started:
            return
        self.started = True
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._emit({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, body: bytes, *, more: bool) -> None:
        """Write a piece of the body. This waits while the client does not read."""
        if self.ended:
            return
        await self._emit({"type": "http.response.body", "body": body, "more_body": more})
        self.ended = not (more or self.gone)

    async def _emit(self, event: dict[str, Any]) -> None:
        if self.gone:
            return
        try:
            await self._send(event)
        except OSError:
            self.gone = True

    async def _watched(self) -> None:
        while True:
            event = await self._receive()
            if self.ended:  # a listener reports a disconnect after every whole answer
                return
            if event["type"] == "http.disconnect":
                break
        self.gone = True
        if self._on_gone is not None:
            self._on_gone()


_NO_BODY: Final = 204
