"""Rejection of heads and bodies that are too large.

Rule 1: an announced size is checked before the body is read. Otherwise the bytes are counted as they arrive.
Rule 2: after a rejection the application sees a disconnect, and nothing that it sends reaches the client.
"""

from collections.abc import Awaitable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.middleware.reject import Notice, RejectedRequest, turn_away

_LINE_BYTES: Final = 4
"""Bytes of a header line in addition to its name and value."""
_MAX_DIGITS: Final = 18


class SizeLimits:
    """Limits on the size of all headers and the address, on their number, and on the size of the body."""

    def __init__(self, app: ASGIApp, notice: Notice, *, body_bytes: int, header_bytes: int, headers: int) -> None:
        self._app = app
        self._notice = notice
        self._body_bytes = body_bytes
        self._header_bytes = header_bytes
        self._headers = headers
        why = f"The head has more than {headers} headers or {header_bytes} bytes."
        self._head = RejectedRequest(code="head_too_large", status=431, reason=why)
        self._body = RejectedRequest(
            code="body_too_large", status=413, reason=f"The body is larger than {body_bytes} bytes."
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif (refused := self._refused(scope)) is not None:
            await turn_away(scope, send, self._notice, refused)
        else:
            counted = _Counted(scope, receive, send, self._body_bytes)
            await self._app(scope, counted.receive, counted.send)
            if counted.over and not counted.started:
                await turn_away(scope, send, self._notice, self._body)

    def _refused(self, scope: Scope) -> RejectedRequest | None:
        lines: list[tuple[bytes, bytes]] = scope["headers"]
        if len(lines) > self._headers:
            return self._head
        size = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"") + _LINE_BYTES * len(lines)
        too_long = False
        for name, value in lines:
            size += len(name) + len(value)
            if name == b"content-length" and not self._fits(value.strip(b" \t")):
                too_long = True
        if size > self._header_bytes:
            return self._head
        return self._body if too_long else None

    def _fits(self, length: bytes) -> bool:
        return len(length) <= _MAX_DIGITS and length.isdigit() and int(length) <= self._body_bytes


class _Counted:
    """A request whose body is counted: `over` if it is too large, `started` if an answer has begun."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._left = limit
        self.over = False
        self.started = False

    async def receive(self) -> Message:
        if self.over:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.over = True
            return {"type": "http.disconnect"}
        return message

    def send(self, message: Message) -> Awaitable[None]:
        if self.over and not self.started:
            return _drop()
        self.started = True
        return self._send(message)


async def _drop() -> None:
    """Send nothing."""
