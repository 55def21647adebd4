"""An application that records requests, and functions that send them."""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.middleware import RejectedRequest

Lines = list[tuple[bytes, bytes]]


class Inner:
    """Reads the whole body and answers 200. `scopes` are the requests that reached it."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes | None] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.bodies.append(None)
                break
            body += message.get("body", b"")
            if not message.get("more_body"):
                self.bodies.append(body)
                break
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Noticed:
    def __init__(self) -> None:
        self.turned: list[RejectedRequest] = []

    async def __call__(self, turned: RejectedRequest) -> None:
        self.turned.append(turned)

    @property
    def codes(self) -> list[str]:
        return [turned.code for turned in self.turned]


async def asked(app: ASGIApp, headers: Lines, *chunks: bytes, **scope: Any) -> list[Message]:
    """Return the messages that the application sends for a request."""
    incoming = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks or (b"",)]
    incoming[-1]["more_body"] = False
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    whole = {"type": "http", "path": "/servers/a/mcp", "method": "POST", "client": ("10.0.0.9", 1), "headers": headers}
    await app({**whole, **scope}, receive, send)
    return sent
