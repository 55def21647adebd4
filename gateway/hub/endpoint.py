"""One entry of the hub's HTTP interface: required roles, limits of the request body, and the response, as values.

Rule 1: a caller without a token that has one of the roles can neither read nor change anything. The body is read only
after that check. A token that expires or is removed while the body arrives has no effect any more.
Rule 2: request bodies are limited in size and time, responses in time, and expensive calls in number.
Rule 3: a failed write is answered with 507 and has changed nothing. The error says what is wrong and what to do.
"""

import asyncio
import contextlib
import errno
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from starlette.types import Receive, Scope, Send

from gateway.follow.bundle_endpoint import written
from gateway.hub.bearer_tokens import Role, TokenHolder, UnknownCallerLog, caller
from gateway.hub.concurrency import ConcurrencyLimits, acting
from gateway.hub.credentials import Credentials
from gateway.hub.metrics import HubEventLog, HubMetrics
from gateway.listening.connections import identify

READING_S: Final = 60.0
SENDING_S: Final = 60.0
SMALL: Final = 64 * 1024
JSON: Final = "application/json"


class HubRequest(Struct, frozen=True, kw_only=True):
    """An authorized call, with its body read."""

    caller: TokenHolder
    path: Mapping[str, Any]
    query: Sequence[tuple[str, str]]
    body: bytes

    def asked(self, name: str) -> str:
        """Return the first value of a query parameter; empty if it is absent."""
        return next((value for key, value in self.query if key == name), "")


class HubResponse(Struct, frozen=True):
    """The response; a body that is not bytes is encoded as JSON."""

    status: int
    body: Any = None
    media: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class HubRefusal(Struct, frozen=True, omit_defaults=True):
    """The body of a response that is a refusal."""

    error: str
    remedy: str
    code: str = ""


_HEADERS: Final = {401: ((b"www-authenticate", b"Bearer"),), 503: ((b"retry-after", b"1"),)}
"""RFC 9110, 15.5.2 and 15.6.4."""
Perform = Callable[[HubRequest], Awaitable[HubResponse]]


def refused(status: int, error: str, remedy: str, code: str = "") -> HubResponse:
    """Return a refusal with the error and its remedy."""
    return HubResponse(status, HubRefusal(error, remedy, code), headers=_HEADERS.get(status, ()))


class Guard(Struct, frozen=True):
    """Authorization of callers, with the counters and the log of refused calls."""

    trust: Credentials
    counts: HubMetrics
    report: HubEventLog
    strangers: UnknownCallerLog
    late: UnknownCallerLog

    def admitted(self, scope: Scope, roles: Sequence[Role]) -> TokenHolder | HubResponse:
        """Return the caller if it has one of the roles; otherwise the refusal."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        found = caller(headers.get(b"authorization", b"").decode("latin-1"), self.trust.callers)
        if found is None:
            self.counts.calls_refused["unauthenticated"] += 1
            count = self.strangers.turned_away(time.monotonic())
            if count:
                source = (scope.get("client") or ("",))[0]
                self.report("unauthenticated_calls_refused", count=count, last_from=source, path=scope["path"][:256])
            return refused(
                401, "no valid bearer token", "Send `Authorization: Bearer <token>` with a token of this hub."
            )
        if found.ended(time.time_ns()):
            return self._ended(found)
        if not set(roles) & set(found.roles):
            self.counts.calls_refused["forbidden"] += 1
            self.report("call_refused", by=found.name, path=scope["path"][:256], wanted=" or ".join(roles))
            remedy = "Ask the hub's operator for a token with that role."
            return refused(403, f"{found.name} lacks the role {' or '.join(roles)}", remedy)
        identify(scope, found.name)
        return found

    def _ended(self, found: TokenHolder) -> HubResponse:
        self.counts.calls_refused["expired"] += 1
        if count := self.late.turned_away(time.monotonic()):
            self.report("expired_token_refused", by=found.name, expires=found.expires, count=count)
        remedy = "Ask the hub's operator for a new token."
        return refused(401, f"the token of {found.name} expired at {found.expires}", remedy, "token_expired")


class EndpointBounds(Struct, frozen=True):
    """The maximum size of a body, and the limit on concurrent calls."""

    body: int = 0
    seats: ConcurrencyLimits | None = None


class HubEndpoint:
    """An ASGI application for one method of one path."""

    def __init__(self, guard: Guard, roles: Sequence[Role], perform: Perform, bounds: EndpointBounds) -> None:
        self._guard = guard
        self._roles = roles
        self._perform = perform
        self._most = bounds.body
        self._seats = bounds.seats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        found = self._guard.admitted(scope, self._roles)
        if isinstance(found, HubResponse):
            await sent(send, found)
            return
        if self._seats is None:
            await self._answer(found, scope, receive, send)
            return
        with self._seats.taken(acting(found, self._roles)) as free:
            if free:
                await self._answer(found, scope, receive, send)
            else:
                self._guard.counts.calls_refused["busy"] += 1
                error = f"{self._seats.most} calls of this kind are already running"
                await sent(send, refused(503, error, "Retry in a moment."))

    async def _answer(self, who: TokenHolder, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answered(who, scope, receive)
        if answer is not None:
            await sent(send, answer)

    async def _answered(self, who: TokenHolder, scope: Scope, receive: Receive) -> HubResponse | None:
        counts = self._guard.counts
        body = await _body(receive, self._most)
        if body is None:
            return None
        if isinstance(body, HubResponse):
            counts.calls_refused["too_large" if body.status == 413 else "too_slow"] += 1  # noqa: PLR2004 - as named
            return body
        found = self._guard.admitted(scope, self._roles) if body else who
        if isinstance(found, HubResponse):
            return found
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        call = HubRequest(caller=found, path=scope.get("path_params", {}), query=query, body=body)
        try:
            return await self._perform(call)
        except (msgspec.DecodeError, RecursionError) as error:
            counts.calls_refused["malformed"] += 1
            error_text = f"the body is malformed: {error}"
            return refused(400, error_text, "Correct the body; the README has an example.")
        except OSError as error:
            return self._unwritten(error, scope)

    def _unwritten(self, error: OSError, scope: Scope) -> HubResponse:
        counts = self._guard.counts
        counts.storage_errors += 1
        counts.storage_failing = True
        self._guard.report("storage_failed", path=scope["path"], error=str(error))
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        remedy = "Free space on the hub's disk." if full else "See the hub's log, and repair its directory."
        return refused(507, f"the hub cannot store this: {error.strerror or error}; nothing has changed", remedy)


async def _body(receive: Receive, most: int) -> bytes | HubResponse | None:
    """Return the complete body; a refusal if it is too large or too slow; None if the caller has disconnected."""
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READING_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                size += len(message.get("body", b""))
                if size > most:
                    remedy = f"Send at most {most} bytes."
                    return refused(413, f"the body is larger than {most} bytes", remedy, "bundle_too_large")
                pieces.append(message.get("body", b""))
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        return refused(408, f"the body did not arrive within {READING_S:.0f} s", "Check the network and retry.")


async def sent(send: Send, answer: HubResponse) -> None:
    """Send a response; give up if the caller does not read it in time."""
    body = answer.body if isinstance(answer.body, bytes) else b"" if answer.body is None else _json(answer.body)
    headers = [*answer.headers, (b"content-type", answer.media.encode()), (b"cache-control", b"no-store")]
    if answer.status != 204:  # noqa: PLR2004 - a 204 has neither a body nor a content-length
        headers.append((b"content-length", str(len(body)).encode()))
    with contextlib.suppress(TimeoutError):  # after an incomplete response, the server closes the connection
        async with asyncio.timeout(SENDING_S):
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await written(send, body)


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
