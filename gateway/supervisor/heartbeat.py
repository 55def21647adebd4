"""Report to hubs which revisions this gateway enforces, so that a rollout can be waited for.

Rule 1: a heartbeat contains the revision in the workers' decisions, never the one that was offered. It is empty while
the workers differ.
Rule 2: a heartbeat is sent at once on a change, otherwise every few seconds. Nothing ever waits for a hub to listen.
Rule 3: a service that does not support heartbeats is retried rarely. The token is sent only to the configured URLs.
Rule 4: a hub that refuses the token or the gateway's name is reported, because its rollouts would otherwise look
complete without this gateway.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Final, Protocol

import aiohttp
import msgspec
from msgspec import Struct

from gateway.follow.bundle_polling import BundleService, bearer, session_with
from gateway.supervisor.control_channel import Enforces

PATH: Final = "v1/heartbeats"
EVERY_S: Final = 5.0
UNWANTED_S: Final = 60.0
"""Seconds between retries at a service that does not support heartbeats."""
PATIENCE_S: Final = 5.0
_UNWANTED: Final = frozenset({401, 403, 404, 405, 501})
_REFUSING: Final = frozenset({401, 403})
_TAKEN: Final = 204
_MOST_SAID: Final = 4096


class Heartbeat(Struct, frozen=True, kw_only=True):
    """A gateway's report to a hub."""

    gateway: str
    labels: Mapping[str, str]
    channel: str
    revision: str
    """The revision that all workers enforce; empty while they differ."""
    emergency: str
    """The revision of the stops that all workers enforce, as this hub numbers them."""
    problem: str
    """Code and message of the last rejection; empty if there is none."""
    version: str


class _Refusal(Struct, frozen=True):
    error: str
    remedy: str


class Said(Protocol):
    """A callable that records why a hub refuses heartbeats; `why` is empty if it accepts them."""

    def __call__(self, url: str, why: str, /) -> None: ...


def agreed(workers: Sequence[Enforces | None]) -> Enforces:
    """Return the revisions that all workers enforce; empty if they differ, or if one is unknown."""
    said = {(one.revision, one.emergency) if one is not None else ("", "") for one in workers}
    revisions = {revision for revision, _ in said}
    stops = {emergency for _, emergency in said}
    return Enforces(_only(revisions), _only(stops))


def _only(texts: set[str]) -> str:
    return next(iter(texts)) if len(texts) == 1 else ""


class HeartbeatSender:
    """Sends heartbeats to every hub of a service; made by `beating` only."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        service: BundleService,
        talk: tuple[Callable[[str], Heartbeat], Said],
        every_s: float,
    ) -> None:
        self._session: Final = session
        self._service: Final = service
        self._say, self._said = talk
        self._every_s: Final = every_s
        self._woken: Final = {url: asyncio.Event() for url in service.urls}

    def wake(self) -> None:
        """Send a heartbeat at once: something has changed."""
        for event in self._woken.values():
            event.set()

    async def beat(self, url: str) -> None:
        """Send heartbeats to one hub until canceled."""
        while True:
            self._woken[url].clear()
            pause = await self._sent(url)
            with contextlib.suppress(TimeoutError):  # `wait_for` loses a cancellation that arrives with the event
                async with asyncio.timeout(pause):
                    await self._woken[url].wait()

    async def _sent(self, url: str) -> float:
        """Send one heartbeat; return the seconds until the next one is due."""
        try:
            headers = {"Content-Type": "application/json"} | bearer(self._service.token_file)
            body = msgspec.json.encode(self._say(url))
            async with (
                asyncio.timeout(PATIENCE_S),
                self._session.post(
                    f"{url.rstrip('/')}/{PATH}", data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                why = await _why(response) if response.status in _REFUSING else ""
                if why or response.status == _TAKEN:
                    self._said(url, why)
                return UNWANTED_S if response.status in _UNWANTED else self._every_s
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
            return self._every_s


async def _why(response: aiohttp.ClientResponse) -> str:
    """Return why a hub refuses, as one bounded line; empty if the response does not come from a hub."""
    said = await response.content.read(_MOST_SAID)
    try:
        refusal = msgspec.json.decode(said, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return f"HTTP {response.status}: {refusal.error}. {refusal.remedy}"


@contextlib.asynccontextmanager
async def beating(
    service: BundleService, say: Callable[[str], Heartbeat], said: Said, *, every_s: float = EVERY_S
) -> AsyncGenerator[HeartbeatSender]:
    """Send heartbeats while the block runs; `say` returns the heartbeat for the hub at a URL."""
    async with session_with(service) as session:
        heart = HeartbeatSender(session, service, (say, said), every_s)
        running = [asyncio.create_task(heart.beat(url)) for url in service.urls]
        try:
            yield heart
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
