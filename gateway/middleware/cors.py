"""Answers that pages of allowed origins may read (CORS, Fetch standard section 3.2).

Rule 1: it runs after the check of `Origin`, so every origin that it sees is allowed. It names that origin, never `*`,
and never allows credentials of the browser.
Rule 2: a preflight is answered here, without a credential. The answer only names the methods and headers that a page
may send.
Rule 3: of the headers that a page wants to send, only those of MCP and of the settings are allowed.
"""

import re
from collections.abc import Awaitable, Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.middleware.reject import values

_METHODS: Final = b"POST, GET, DELETE"
_MAX_AGE_S: Final = b"600"
_KNOWN: Final = frozenset(
    {
        *("accept", "authorization", "content-type", "last-event-id"),
        *("mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name"),
        *("traceparent", "tracestate", "baggage"),
    }
)
_PARAMETER: Final = re.compile(r"mcp-param-[a-z0-9!#$%&'*+.^_`|~-]{1,200}")
_EXPOSED: Final = b"Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After, x-request-id"
_VARY: Final = (b"vary", b"Origin")
_VARY_PREFLIGHT: Final = (
    b"vary",
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network",
)


class CrossOrigin:
    """CORS headers for pages of allowed origins. `headers`: names that pages may send in addition."""

    def __init__(self, app: ASGIApp, headers: Iterable[str] = ()) -> None:
        self._app = app
        self._headers = _KNOWN | {name.lower() for name in headers}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        origins = values(scope, b"origin")
        if not origins:
            # A cache must not give a page the answer that it has stored for a client without an origin.
            return self._app(scope, receive, send if scope["method"] == "POST" else _with(send, [_VARY]))
        origin = (b"access-control-allow-origin", origins[0].encode("latin-1"))
        if scope["method"] == "OPTIONS" and values(scope, b"access-control-request-method"):
            return self._preflight(scope, send, origin)
        return self._app(scope, receive, _with(send, [origin, (b"access-control-expose-headers", _EXPOSED), _VARY]))

    async def _preflight(self, scope: Scope, send: Send, origin: tuple[bytes, bytes]) -> None:
        """Answer a preflight with the methods and headers that a page of this origin may send."""
        headers = [origin, (b"access-control-allow-methods", _METHODS), (b"access-control-max-age", _MAX_AGE_S)]
        allowed = self._allowed(values(scope, b"access-control-request-headers"))
        if allowed:
            headers.append((b"access-control-allow-headers", ", ".join(allowed).encode("ascii")))
        if values(scope, b"access-control-request-private-network") == ["true"]:
            headers.append((b"access-control-allow-private-network", b"true"))
        await send({"type": "http.response.start", "status": 204, "headers": [*headers, _VARY_PREFLIGHT]})
        await send({"type": "http.response.body", "body": b""})

    def _allowed(self, wanted: list[str]) -> list[str]:
        names = [name.strip().lower() for line in wanted for name in line.split(",")]
        return [name for name in dict.fromkeys(names) if name in self._headers or _PARAMETER.fullmatch(name)]


def _with(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    """Return a `send` that adds these headers to the answer."""

    def sent(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        return send(message)

    return sent
