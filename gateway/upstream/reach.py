"""Sends what a permit covers, over pooled connections.

Rule 1: address, headers, bytes and credential come from the permit; nothing else can be sent.
Rule 2: connections are reused for less long than common servers keep them (5 s), so that none is used that just closed.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final, Protocol

import aiohttp
from yarl import URL

from gateway.admission.action import Forward, Outbound
from gateway.admission.decision import Credential, Route
from gateway.pipeline.ports import UpstreamFailure
from gateway.upstream.failures import CLOSED, ENCODED, ERRORS, SLOW, UNADDRESSED, of_error, of_status
from gateway.upstream.headers import going
from gateway.upstream.reply import HttpReply, Limits

CONNECT_S: Final = 10.0
KEEP_S: Final = 3.0
CONNECTIONS: Final = 4_000
"""Open connections of one worker to all upstreams."""
_LISTEN: Final = ("mcp-method", "subscriptions/listen")
_WAIT: Final = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)


class SecretHeader(Protocol):
    """A header that carries a credential, and does not show it."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...


class Secrets(Protocol):
    """Where the values of credentials are."""

    def header(self, credential: Credential, *, server: str, subject: str) -> SecretHeader | UpstreamFailure: ...


class HttpUpstream:
    """The upstreams of one worker, over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, secrets: Secrets) -> None:
        """Take an open session that follows, keeps and decodes nothing, as `reach` makes it."""
        self._session: Final = session
        self._secrets: Final = secrets
        self._draining: Final[set[asyncio.Task[None]]] = set()

    async def send(self, forward: Forward) -> HttpReply | UpstreamFailure:
        """Return the reply to what the permit covers, once its head has arrived."""
        route, outbound = forward.permit.route, forward.permit.outbound
        url = address(route.url)
        if url is None:
            return UNADDRESSED
        headers = going(outbound.headers)
        if route.credential is not None:
            secret = self._secrets.header(route.credential, server=outbound.server, subject=outbound.subject)
            if isinstance(secret, UpstreamFailure):
                return secret
            headers.append((secret.name, secret.value))
        return await self._exchange(url, headers, outbound, route)

    async def aclose(self) -> None:
        """End the drains that are under way, and every connection."""
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        await self._session.close()

    async def _exchange(
        self, url: URL, headers: list[tuple[str, str]], outbound: Outbound, route: Route
    ) -> HttpReply | UpstreamFailure:
        limits = _limits(outbound, route)
        try:
            async with asyncio.timeout_at(limits.deadline):
                response = await self._session.request(
                    outbound.verb,
                    url,
                    headers=headers,
                    data=outbound.body or None,
                    allow_redirects=False,
                    middlewares=() if outbound.verb == "POST" else (_once,),
                )
        except TimeoutError as error:
            return of_error(error) if isinstance(error, aiohttp.ConnectionTimeoutError) else SLOW
        except _UnansweredError:
            return CLOSED
        except ERRORS as error:
            return of_error(error)
        failure = of_status(response.status) or _of_encoding(response)
        if failure is not None:
            response.close()
            return failure
        return HttpReply(response, limits, self._spawn)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)
        return task


@asynccontextmanager
async def reach(secrets: Secrets, *, trust: ssl.SSLContext | bool = True) -> AsyncGenerator[HttpUpstream]:
    """Open the way to upstreams; `trust` is true for the system's certificate authorities, or a context with others."""
    if trust is False:
        raise ValueError("certificates are always verified: name a context that knows the authority")
    connector = aiohttp.TCPConnector(ssl=trust, limit=CONNECTIONS, keepalive_timeout=KEEP_S)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=_WAIT,
        auto_decompress=False,
        trust_env=False,
    )
    upstream = HttpUpstream(session, secrets)
    try:
        yield upstream
    finally:
        await upstream.aclose()


@lru_cache(maxsize=4096)
def address(url: str) -> URL | None:
    """Return the address of an upstream; null where it is not absolute http(s), or names a user."""
    try:
        parsed = URL(url, encoded=True)
        usable = parsed.scheme in {"http", "https"} and parsed.host and parsed.user is None and parsed.port
    except ValueError:
        return None
    return parsed.with_fragment(None) if usable else None


class _UnansweredError(Exception):
    """A connection that closed before it answered, under a name that aiohttp does not repeat requests for."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a GET or DELETE once: aiohttp would send it again on another connection."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _UnansweredError from error


def _limits(outbound: Outbound, route: Route) -> Limits:
    """Return the patience for a message: a stream that the client holds open to listen may be silent for ever."""
    listens = outbound.verb == "GET" or _LISTEN in outbound.headers
    deadline = asyncio.get_running_loop().time() + route.timeout_s
    return Limits(deadline=deadline, idle_s=None if listens else route.timeout_s)


def _of_encoding(response: aiohttp.ClientResponse) -> UpstreamFailure | None:
    return None if response.headers.get("Content-Encoding", "identity").lower() == "identity" else ENCODED
