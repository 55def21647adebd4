"""A name for every HTTP request, in its answer and in every line that is logged meanwhile.

Rule 1: the gateway chooses it; a client's own is not taken over, as it could name another request.
"""

import itertools
import secrets
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

current: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The request that the running task belongs to; empty outside of requests."""


class RequestIds:
    """Sets `current` and the response header `x-request-id`: a random start per process, then a count."""

    def __init__(self, app: ASGIApp, start: str = "") -> None:
        self._app = app
        self._start = start or secrets.token_hex(5)
        self._count = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = f"{self._start}-{next(self._count)}"
        header = (b"x-request-id", name.encode("ascii"))

        def named(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), header]}
            return send(message)

        token = current.set(name)
        try:
            await self._app(scope, receive, named)
        finally:
            current.reset(token)
