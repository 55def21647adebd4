"""Rejection of a request before its message is read.

Rule 1: the answer is a JSON-RPC error without an id. `notice` is called before it is sent.
Rule 2: the connection is closed, because the unread rest of a body would be taken for the next request.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct
from starlette.types import Scope, Send

from gateway.admission.correlation import Correlation, unread
from gateway.listening.request_id import request_id_of
from gateway.protocol.errors import INVALID_REQUEST, error_body

_PATH_CHARS: Final = 200


class RejectedRequest(Struct, frozen=True, kw_only=True):
    """A request that is rejected before its message is read. `code` is from a closed set, `path` is cut."""

    code: str
    status: int
    reason: str
    source_ip: str = ""
    path: str = ""
    correlation: Correlation = Correlation()


Notice = Callable[[RejectedRequest], Awaitable[None]]


async def turn_away(scope: Scope, send: Send, notice: Notice, turned: RejectedRequest) -> None:
    """Report a rejected request, and answer it."""
    client, request_id = scope.get("client"), request_id_of(scope)
    await notice(
        RejectedRequest(
            code=turned.code,
            status=turned.status,
            reason=turned.reason,
            source_ip=client[0] if client else "",
            path=scope["path"][:_PATH_CHARS],
            correlation=unread(request_id.text, given=request_id.given),
        )
    )
    body = error_body(None, INVALID_REQUEST, turned.reason)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": turned.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def values(scope: Scope, wanted: bytes) -> list[str]:
    """Return all values of a header. `wanted` is in lower case."""
    return [header_text(value) for name, value in scope["headers"] if name == wanted]


def header_text(value: bytes) -> str:
    """Return the value of a header without the spaces and tabs around it, which uvicorn does not remove."""
    return value.strip(b" \t").decode("latin-1")
