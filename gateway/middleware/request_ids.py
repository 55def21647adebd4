"""An id for every HTTP request: in its answer, in its records, and in every log line of the request.

Rule 1: a client's own `x-request-id` is adopted if there is exactly one and it is well-formed, so that both sides log
the same id. It may also name another request, so records mark it as given by the client.
Rule 2: any other value is replaced by an id of the gateway, and is not written anywhere.
"""

import itertools
import secrets
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.admission.correlation import is_request_id
from gateway.listening.request_id import RequestId, note_request_id
from gateway.middleware.reject import values

current: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The id of the request that the running task belongs to. It is empty outside of requests."""
_HEADER: Final = b"x-request-id"


class RequestIds:
    """Sets `current`, the id in the scope, and the response header. Own ids are a random start and a count."""

    def __init__(self, app: ASGIApp, start: str = "") -> None:
        self._app = app
        self._start = start or secrets.token_hex(5)
        self._count = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = self._name(scope)
        header = (_HEADER, name.text.encode("ascii"))
        note_request_id(scope, name)

        def named(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), header]}
            return send(message)

        token = current.set(name.text)
        try:
            await self._app(scope, receive, named)
        finally:
            current.reset(token)

    def _name(self, scope: Scope) -> RequestId:
        given = values(scope, _HEADER)
        if len(given) == 1 and is_request_id(given[0]):
            return RequestId(given[0], given=True)
        return RequestId(f"{self._start}-{next(self._count)}")
