"""The bundle endpoint that an OPA long-polls (OPA.md section 3.1).

Rule 1: a request with a stale or absent ETag is answered at once. A request with the current ETag is held until the
bundle changes or until `wait` has passed, and the answer is then 304.
Rule 2: `Content-Type` is exactly `application/vnd.openpolicyagent.bundles`: any other value turns long polling off.
Rule 3: a client without the bearer token gets no information. Before the first bundle and after closing, the answer is
503.
Rule 4: a client that sends the current ETag enforces that bundle, because OPA polls again only after activation.
"""

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.pack import MEDIA_TYPE

RESOURCE: Final = "bundles/policy.tar.gz"
EMERGENCY_RESOURCE: Final = "bundles/emergency.tar.gz"
LONGEST_WAIT_S: Final = 300.0
_PIECE: Final = 1 << 18
_WAIT: Final = re.compile(r"(?:^|[;,\s])wait=(\d{1,6})(?:$|[;,\s])")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Offer(Struct, frozen=True):
    """The bytes of a bundle to serve, and their ETag."""

    etag: str
    content: bytes


class Offering:
    """The offer of one resource, and the requests that wait for the next one."""

    def __init__(self) -> None:
        self.offer: Offer | None = None
        """The bundle that is served; None before the first bundle and after closing."""
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, offer: Offer) -> None:
        """Serve this offer from now on, and answer the waiting requests."""
        if not self._closed:
            self.offer = offer
            self.wake()

    def close(self) -> None:
        """End the waiting requests, and answer all later ones with 503."""
        self._closed, self.offer = True, None
        self.wake()

    def wake(self) -> None:
        """Wake all waiting requests, so that they check the offer again."""
        woken, self._changed = self._changed, asyncio.Event()
        woken.set()

    async def hold(self, known: str, seconds: float, receive: Receive) -> None:
        """Wait while `known` is the current offer, for `seconds` or until the client disconnects."""
        if self.offer is None or known != self.offer.etag:
            return
        changed = asyncio.ensure_future(self._changed.wait())
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait((changed, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            gone.cancel()


async def respond(send: Send, offer: Offer | None, known: str) -> None:
    """Answer a client that has the ETag `known` with the current offer."""
    if offer is None:
        await _answer(send, 503, [(b"retry-after", b"1")])
    elif known == offer.etag:
        await _answer(send, 304, [(b"etag", offer.etag.encode())])
    else:
        named = [(b"etag", offer.etag.encode()), (b"content-type", MEDIA_TYPE.encode())]
        await _answer(send, 200, named, offer.content)


class BundleEndpoint:
    """An ASGI application that serves the current offers, one per resource."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._offerings = {resource: Offering() for resource in (RESOURCE, EMERGENCY_RESOURCE)}
        self.on_taken: Callable[[], None] = _nobody_listens
        """The callback for each request which shows that the client enforces the offered bundle."""

    @property
    def offer(self) -> Offer | None:
        """Return the policy that is served, or None before the first bundle."""
        return self._offerings[RESOURCE].offer

    def put(self, offer: Offer, resource: str = RESOURCE) -> None:
        """Serve this offer from now on, and answer the waiting requests."""
        self._offerings[resource].put(offer)

    def close(self) -> None:
        """End the waiting requests, and answer all later ones with 503."""
        for offering in self._offerings.values():
            offering.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        offering = self._offerings.get(scope["path"][1:])
        if not self._admits(headers.get("authorization", "")):
            await _answer(send, 401, [(b"www-authenticate", b"Bearer")])
        elif offering is None:
            await _answer(send, 404)
        elif scope["method"] != "GET":
            await _answer(send, 405, [(b"allow", b"GET")])
        else:
            await self._serve(offering, headers, receive, send)

    def _admits(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token)

    async def _serve(self, offering: Offering, headers: dict[str, str], receive: Receive, send: Send) -> None:
        known = headers.get("if-none-match", "")
        if offering.offer is not None and known == offering.offer.etag:
            self.on_taken()
        await offering.hold(known, wait_s(headers.get("prefer", "")), receive)
        await respond(send, offering.offer, known)


def wait_s(prefer: str) -> float:
    """Return the seconds that a `Prefer` header (RFC 7240) requests to wait; 0 without long polling."""
    found = _WAIT.search(prefer)
    return min(float(found[1]), LONGEST_WAIT_S) if found else 0.0


def _nobody_listens() -> None:
    return


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(
    send: Send, status: int, headers: list[tuple[bytes, bytes]] | None = None, content: bytes = b""
) -> None:
    sized = [*(headers or []), (b"cache-control", b"no-store")]
    if status != 304:  # noqa: PLR2004 - a 304 has no body, and does not state the length of one
        sized.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": sized})
    await written(send, content)


async def written(send: Send, content: bytes) -> None:
    """Send a body in pieces, so that a slow reader does not keep a second copy of all unsent bytes in memory."""
    for start in range(0, len(content) or 1, _PIECE):
        piece, more = content[start : start + _PIECE], start + _PIECE < len(content)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
