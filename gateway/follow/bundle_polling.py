"""Poll a bundle service like OPA does: long polling, one bounded answer, no redirects (OPA.md section 3.1).

Rule 1: only snapshots are requested, and the answer is limited in bytes and time, regardless of its headers.
Rule 2: every answer is a value; an error of the service never raises an exception.
Rule 3: the token is read again for each request, so that it can be renewed, and is sent only to the configured URLs.
Rule 4: if a service does not answer within half the time after which policy is stale, the next service is asked.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import aiohttp
from msgspec import Struct

from gateway.artifact.artifact import MOST_BYTES
from gateway.artifact.rejection import Rejected

WAIT_S: Final = 30
CONNECT_S: Final = 5.0
ANSWER_S: Final = 15.0
"""The seconds, in addition to the wait, in which a service must begin its answer; they include connecting."""
LEAST_S: Final = 2
APART_S: Final = 10.0
"""The difference up to which clocks count as equal: a service sends whole seconds, and at a time of its choice."""
BODY_S: Final = 60.0
_PIECE: Final = 1 << 16
_DIGITS: Final = 10
"""The maximum number of digits of an age: caches count up to 2 ** 31 seconds."""
_OK: Final = 200
_UNCHANGED: Final = 304


class BundleService(Struct, frozen=True, kw_only=True):
    """A bundle service: one or more base URLs with the same bundles, and the credentials for them."""

    urls: tuple[str, ...]
    token_file: Path | None = None
    ca_file: Path | None = None
    labels: Mapping[str, str] = {}


class PollTimeouts(Struct, frozen=True):
    """The seconds that a service holds a request if it has nothing newer, and those in which it must answer."""

    wait_s: float = WAIT_S
    answer_s: float = ANSWER_S


DEFAULT: Final = PollTimeouts()


def patience(stale_s: float | None) -> PollTimeouts:
    """Return the timeouts of a gateway whose policy is stale after `stale_s` seconds; None means never."""
    if stale_s is None:
        return DEFAULT
    quarter_s = max(LEAST_S, int(stale_s) // 4)
    return PollTimeouts(min(WAIT_S, quarter_s), min(ANSWER_S, quarter_s))


def apart_s(said: str, began: float, ended: float, aged: str = "") -> float:
    """Return by how many seconds a service's clock is ahead, negative if behind, 0 if they agree or it is unknown.

    `said` is the `Date` of an answer (RFC 9110, section 6.6.1) to a request that was open from `began` to `ended`, in
    seconds since 1970. The answer was written at an unknown time between them, so the true difference can be smaller
    for a clock that is behind. `aged` is its `Age` (RFC 9111, section 5.1): the time since which a cache has it. A date
    without a time zone is ignored.
    """
    try:
        moment = parsedate_to_datetime(said)
        date = moment.timestamp() + (int(aged) if aged.isdecimal() and len(aged) <= _DIGITS else 0)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        return 0.0
    return date - ended if date > ended + APART_S or date < began - APART_S else 0.0


_REASONS: Final = {
    401: ": the hub does not know this token, or the token has expired (`policy.bundle.token_file`)",
    403: ": this token does not have the role of a gateway (`policy.bundle.token_file`)",
    404: ": nothing is published on this channel (`policy.bundle.channel`)",
}
"""The meaning of a hub's HTTP status for the operator of the gateway."""


class Fetched(Struct, frozen=True):
    """The bytes of a bundle, and the ETag from the service."""

    content: bytes
    etag: str


class Unchanged(Struct, frozen=True):
    """An answer that the service has nothing newer than the ETag that was sent."""


class ServiceUnreachable(Struct, frozen=True):
    """A request without a usable answer; `detail` contains no secrets."""

    detail: str


Answer = Fetched | Unchanged | ServiceUnreachable | Rejected


class Poller:
    """A client for one resource of a service; only `polling` creates it."""

    def __init__(
        self, session: aiohttp.ClientSession, service: BundleService, path: str, patience: PollTimeouts
    ) -> None:
        self.urls: Final = service.urls
        self._session: Final = session
        self._service: Final = service
        self._path: Final = path
        self._patience: Final = patience
        self.on_clock: Callable[[str, float], None] = _nobody_minds
        """The callback for each answer, before it is returned: the URL, and the seconds its clock is ahead."""

    async def ask(self, url: str, etag: str, *, hold: bool = True) -> Answer:
        """Return the bundle of the service at `url` unless it still has `etag`.

        If the bundle is unchanged, the service answers after the wait, or at once without `hold`.
        """
        wait_s, began = self._patience.wait_s if hold else 0, time.time()
        try:
            headers = self._headers(etag, wait_s)
        except (OSError, UnicodeDecodeError) as error:
            return ServiceUnreachable(f"the token cannot be read: {error}")
        labels = [("label", f"{name}={value}") for name, value in sorted(self._service.labels.items())]
        where = f"{url.rstrip('/')}/{self._path}"
        try:
            held_s = wait_s if etag else 0
            async with asyncio.timeout(held_s + self._patience.answer_s) as deadline:
                call = self._session.get(where, headers=headers, params=labels, allow_redirects=False)
                async with call as response:
                    said, aged = (response.headers.get(name, "") for name in ("Date", "Age"))
                    self.on_clock(url, apart_s(said, began, time.time(), aged))
                    deadline.reschedule(asyncio.get_running_loop().time() + BODY_S)
                    return await _answer(response, etag)
        except TimeoutError:
            return ServiceUnreachable("it did not answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return ServiceUnreachable(f"{type(error).__name__}: {error}")

    def _headers(self, etag: str, wait_s: float) -> dict[str, str]:
        headers = {"Prefer": f"modes=snapshot;wait={wait_s:g}", "Accept-Encoding": "identity"}
        if etag:
            headers["If-None-Match"] = etag
        return headers | bearer(self._service.token_file)


def bearer(token_file: Path | None) -> dict[str, str]:
    """Return the authorization header with the token in a file; raise OSError if the file cannot be read."""
    if token_file is None:
        return {}
    return {"Authorization": f"Bearer {token_file.read_text(encoding='ascii').strip()}"}


async def _answer(response: aiohttp.ClientResponse, etag: str) -> Answer:
    if response.status == _UNCHANGED and etag:
        return Unchanged()
    if response.status != _OK:
        return ServiceUnreachable(f"it answered HTTP {response.status}{_REASONS.get(response.status, '')}")
    if (response.content_length or 0) > MOST_BYTES:
        return _too_large()
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_chunked(_PIECE):
        size += len(piece)
        if size > MOST_BYTES:
            return _too_large()
        pieces.append(piece)
    return Fetched(b"".join(pieces), response.headers.get("ETag", ""))


def _nobody_minds(_url: str, _ahead_s: float) -> None:
    return


def _too_large() -> Rejected:
    return Rejected("bundle_too_large", f"the maximum is {MOST_BYTES} bytes")


@asynccontextmanager
async def session_with(service: BundleService) -> AsyncGenerator[aiohttp.ClientSession]:
    """Yield a session for a service; raise OSError if its CA file cannot be read."""
    ca_file = None if service.ca_file is None else str(service.ca_file)
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca_file))
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        yield session


@asynccontextmanager
async def polling(service: BundleService, path: str, patience: PollTimeouts = DEFAULT) -> AsyncGenerator[Poller]:
    """Yield a poller of one resource of a service."""
    async with session_with(service) as session:
        yield Poller(session, service, path, patience)
