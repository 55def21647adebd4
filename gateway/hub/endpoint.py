"""One entry of the hub's HTTP interface: who may call it, how much they may send, and what comes back, as values.

Rule 1: nobody without a token that has one of the roles learns or changes anything; the body is not read before that,
and a token that ended or went while it came has no effect any more.
Rule 2: bodies are bounded in bytes and in time, answers in time, and those that cost something in number.
Rule 3: what cannot be written is 507 and has changed nothing; the error says what is wrong and what to do.
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
    """A call that may be made, with its body read."""

    caller: TokenHolder
    path: Mapping[str, Any]
    query: Sequence[tuple[str, str]]
    body: bytes

    def asked(self, name: str) -> str:
        """The first value of a query parameter; empty where there is none."""
        return next((value for key, value in self.query if key == name), "")


class HubResponse(Struct, frozen=True):
    """What comes back; a body that is not bytes is JSON."""

    status: int
    body: Any = None
    media: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class HubRefusal(Struct, frozen=True, omit_defaults=True):
    """The body of an answer that is a refusal."""

    error: str
    remedy: str
    code: str = ""


_HEADERS: Final = {401: ((b"www-authenticate", b"Bearer"),), 503: ((b"retry-after", b"1"),)}
"""RFC 9110, 15.5.2 and 15.6.4."""
Perform = Callable[[HubRequest], Awaitable[HubResponse]]


def refused(status: int, error: str, remedy: str, code: str = "") -> HubResponse:
    """A refusal that says what is wrong and what to do."""
    return HubResponse(status, HubRefusal(error, remedy, code), headers=_HEADERS.get(status, ()))


class Guard(Struct, frozen=True):
    """Whom the hub knows, where it counts what it refused, and where it tells."""

    trust: Credentials
    counts: HubMetrics
    report: HubEventLog
    strangers: UnknownCallerLog
    late: UnknownCallerLog

    def admitted(self, scope: Scope, roles: Sequence[Role]) -> TokenHolder | HubResponse:
        """Who calls, where they may; otherwise the refusal."""
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
            return refused(403, f"{found.name} has not the role {' or '.join(roles)}", remedy)
        identify(scope, found.name)
        return found

    def _ended(self, found: TokenHolder) -> HubResponse:
        self.counts.calls_refused["expired"] += 1
        if count := self.late.turned_away(time.monotonic()):
            self.report("expired_token_refused", by=found.name, expires=found.expires, count=count)
        remedy = "Ask the hub's operator for a new one."
        return refused(401, f"the token of {found.name} ended at {found.expires}", remedy, "token_expired")


class EndpointBounds(Struct, frozen=True):
    """How large a body may be, and how many calls may be under way."""

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
                await sent(send, refused(503, f"{self._seats.most} such calls are under way", "Ask again in a moment."))

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
            return refused(400, f"the body is not what is wanted: {error}", "Correct it; the README has an example.")
        except OSError as error:
            return self._unwritten(error, scope)

    def _unwritten(self, error: OSError, scope: Scope) -> HubResponse:
        counts = self._guard.counts
        counts.storage_errors += 1
        counts.storage_failing = True
        self._guard.report("storage_failed", path=scope["path"], error=str(error))
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        remedy = "Make room on its disk." if full else "Its log says more; mend its directory."
        return refused(507, f"the hub cannot keep this: {error.strerror or error}; nothing has changed", remedy)


async def _body(receive: Receive, most: int) -> bytes | HubResponse | None:
    """The whole body; a refusal where it is too large or too slow; None where the caller has gone."""
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
                    return refused(413, f"the body is larger than {most} bytes", "Send less.", "bundle_too_large")
                pieces.append(message.get("body", b""))
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        return refused(408, f"the body did not arrive within {READING_S:.0f} s", "Send it faster.")


async def sent(send: Send, answer: HubResponse) -> None:
    """Send an answer; one who does not take it in time is let go."""
    body = answer.body if isinstance(answer.body, bytes) else b"" if answer.body is None else _json(answer.body)
    headers = [*answer.headers, (b"content-type", answer.media.encode()), (b"cache-control", b"no-store")]
    if answer.status != 204:  # noqa: PLR2004 - a 204 has no body, and says nothing about the length of one
        headers.append((b"content-length", str(len(body)).encode()))
    with contextlib.suppress(TimeoutError):  # what was not sent whole makes the server close the connection
        async with asyncio.timeout(SENDING_S):
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await written(send, body)


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
