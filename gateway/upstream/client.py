"""Client that sends the content of a permit over pooled connections.

Rule 1: address, headers, bytes and credential come from the permit. Nothing else can be sent.
Rule 2: a client's message is written once. Another connection is used only if not one byte was written.
Rule 3: a list request of the gateway's own is written once more if the server closed the connection unanswered.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from gateway.admission.action import Forward, Outbound
from gateway.admission.decision import Credential, Route
from gateway.pipeline.loop_deadlines import WaitBudget
from gateway.pipeline.ports import UpstreamFailure
from gateway.upstream.address import UpstreamAddress, address
from gateway.upstream.connection import ReplyHead, UpstreamConnection
from gateway.upstream.connection_pool import ConnectionPool, Now
from gateway.upstream.failures import CLOSED, ENCODED, SLOW, TIMED_OUT, UNADDRESSED, UNWRITTEN, of_status
from gateway.upstream.headers import credential_line, going
from gateway.upstream.reply import HttpReply, ReplyDeadlines, media_of

_FORBIDDEN: Final = 403
_LISTEN: Final = ("mcp-method", "subscriptions/listen")
_CONNECTIONS: Final = 3
"""Maximum connections to try if the server closes each before a byte of the request is written."""
_UNANSWERED: Final = (CLOSED, TIMED_OUT)
_REQUEST_TIMEOUT: Final = 408
_PLAIN: Final = frozenset({"", "identity"})


class SecretHeader(Protocol):
    """A header that contains a credential and does not show it."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...


class CredentialValues(Protocol):
    """The source of the values of credentials."""

    def header(self, credential: Credential, *, server: str, subject: str) -> SecretHeader | UpstreamFailure: ...


class HttpUpstream:
    """The upstreams of one worker, over HTTP."""

    def __init__(self, pool: ConnectionPool, secrets: CredentialValues) -> None:
        """Take the connections, and the source of credentials. Use `reach` to create a client."""
        self._pool: Final = pool
        self._secrets: Final = secrets
        self._draining: Final[set[asyncio.Task[None]]] = set()

    async def send(self, forward: Forward) -> HttpReply | UpstreamFailure:
        """Send the content of a permit, and return the reply when its head has arrived."""
        route, outbound = forward.permit.route, forward.permit.outbound
        place = address(route.url)
        if place is None:
            return UNADDRESSED
        credential = self._credential(route, outbound)
        if isinstance(credential, UpstreamFailure):
            return credential
        limits = _limits(outbound, route)
        request = _request(place, outbound, credential)
        patience = WaitBudget(None) if outbound.verb == "GET" else limits.patience
        head = await self._asked(place, request, patience)
        if head in _UNANSWERED and outbound.repeatable:
            head = await self._asked(place, request, patience, reuse=False)
        if isinstance(head, UpstreamFailure):
            return head
        failure = _reply_failure(head)
        if failure is not None:
            head.body.abort()
            return failure
        return HttpReply(head, limits, self._spawn)

    async def aclose(self) -> None:
        """Cancel the running drains, and close every connection."""
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        await self._pool.close()

    def _credential(self, route: Route, outbound: Outbound) -> str | UpstreamFailure:
        """Return the header line with the route's credential, or the empty text if it names none."""
        if route.credential is None:
            return ""
        secret = self._secrets.header(route.credential, server=outbound.server, subject=outbound.subject)
        if isinstance(secret, UpstreamFailure):
            return secret
        line = credential_line(secret.name, secret.value)
        detail = "the credential is not a single line of ASCII"
        return line or UpstreamFailure(code="credential_missing", detail=detail, stage="unsent")

    async def _asked(
        self, place: UpstreamAddress, request: bytes, patience: WaitBudget, *, reuse: bool = True
    ) -> ReplyHead | UpstreamFailure:
        """Send a request over an idle or a new connection, and return the head of the reply.

        For a stream that a client opens to listen, the gateway waits for the head without a limit, because some servers
        send it only with the first event.
        """
        head: ReplyHead | UpstreamFailure = UNWRITTEN
        try:
            async with patience:
                for _ in range(_CONNECTIONS):
                    wire = (self._pool.reusable(place.origin) if reuse else None) or await self._pool.connect(place)
                    head = (
                        self._recorded(wire, await wire.ask(request)) if isinstance(wire, UpstreamConnection) else wire
                    )
                    if head is not UNWRITTEN:
                        break
        except TimeoutError:
            return SLOW
        return head

    def _recorded(self, wire: UpstreamConnection, head: ReplyHead | UpstreamFailure) -> ReplyHead | UpstreamFailure:
        """Return the outcome of a request, and record whether the server closed the connection."""
        if isinstance(head, ReplyHead) and head.status == _REQUEST_TIMEOUT and not _is_answer(head):
            head.body.abort()
            head = TIMED_OUT
        if head in _UNANSWERED:
            self._pool.closed_on_use(wire)
        return head

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)


@asynccontextmanager
async def reach(
    secrets: CredentialValues, *, trust: ssl.SSLContext | bool = True, now: Now | None = None
) -> AsyncGenerator[HttpUpstream]:
    """Create a client for upstreams.

    `trust` is true for the system's certificate authorities, or a context with others. `now` is the clock for the idle
    time of connections. If it is null, the event loop's clock is used.
    """
    context = trust if isinstance(trust, ssl.SSLContext) else ssl.create_default_context()
    if trust is False or context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise ValueError("certificate verification cannot be disabled: pass an SSL context that trusts the authority")
    upstream = HttpUpstream(ConnectionPool(context, now), secrets)
    try:
        yield upstream
    finally:
        await upstream.aclose()


def _request(place: UpstreamAddress, outbound: Outbound, credential: str) -> bytes:
    """Return the whole request. Only a POST has a body."""
    length = f"content-length: {len(outbound.body)}\r\n" if outbound.verb == "POST" else ""
    lines = f"{outbound.verb} {place.target} HTTP/1.1\r\nhost: {place.authority}\r\n{going(outbound.headers)}"
    head = f"{lines}{credential}{length}\r\n".encode("ascii")
    return head + outbound.body if outbound.verb == "POST" else head


def _limits(outbound: Outbound, route: Route) -> ReplyDeadlines:
    """Return the deadlines of a message. A stream that the client opens to listen may be silent forever."""
    listens = outbound.verb == "GET" or _LISTEN in outbound.headers
    return ReplyDeadlines(patience=WaitBudget(route.timeout_s), idle_s=None if listens else route.timeout_s)


def _reply_failure(head: ReplyHead) -> UpstreamFailure | None:
    """Return why a reply is not an answer. The body of a 403 may be the error that answers the request."""
    if head.get("content-encoding").lower() not in _PLAIN:
        return ENCODED
    return None if head.status == _FORBIDDEN and media_of(head) == "json" else of_status(head.status)


def _is_answer(head: ReplyHead) -> bool:
    """Return whether a 408 answers the request. A proxy sends a different 408 when it closes an idle connection."""
    return media_of(head) == "json" and bool(head.get("content-type"))
