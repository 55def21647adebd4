"""Follow one bundle of a service: enforce the newest accepted bundle, and only report all others.

Rule 1: a bundle is used only after it is verified. Until then, or if it is rejected, the last good one stays in force.
Rule 2: the bundle in force is confirmed when a service answers that it has nothing newer. A rejected bundle or an
unreachable service does not confirm it: the policy in force becomes stale, and denies at its limit.
Rule 3: services are asked in turn: the next one after a failure or a rejection, with a growing pause after each round.
Rule 4: a rejected bundle is not fetched repeatedly: it is fetched and verified again once per wait.
Rule 5: a service that did not answer the last request, or was not asked before, must answer at once, because it may
confirm a stale policy.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final, Protocol

from msgspec import Struct

from gateway.artifact.artifact import Artifact
from gateway.artifact.rejection import Rejected
from gateway.follow.bundle_polling import Answer, Fetched, ServiceUnreachable, Unchanged
from gateway.follow.last_good import LastGood, LastGoodStore

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 3.0
PROMPT_S: Final = 1.0
"""If a service reports "unchanged" sooner than this, it does not hold requests and is asked less often."""
NOTED_EVERY_NS: Final = 10_000_000_000
"""The interval at which a confirmation is written to disk."""


class Followed(Struct, frozen=True):
    """The bundle to enforce from now on; `kept` is true for the bundle of the last run."""

    artifact: Artifact
    kept: bool = False


class BundleConfirmed(Struct, frozen=True):
    """A confirmation that the bundle in force was the newest at this wall time in nanoseconds."""

    unix_ns: int


class BundleRefused(Struct, frozen=True):
    """A rejection of the bundle that a service has."""

    rejected: Rejected


class Passed(Struct, frozen=True):
    """A service does not answer, so the next one is asked."""

    detail: str


class Unreached(Struct, frozen=True):
    """No service answers."""

    detail: str


class Reached(Struct, frozen=True):
    """A service answers again."""

    url: str


class BundleNotKept(Struct, frozen=True):
    """The bundle could not be stored for the next start."""

    detail: str


News = Followed | BundleConfirmed | BundleRefused | Passed | Unreached | Reached | BundleNotKept
Judge = Callable[[bytes, int], Artifact | Rejected]
"""A function that accepts or rejects bytes, given the sequence number of the bundle in force."""


class Asks(Protocol):
    """The client that asks services."""

    @property
    def urls(self) -> tuple[str, ...]: ...
    async def ask(self, url: str, etag: str, *, hold: bool) -> Answer: ...


class Follower:
    """A loop that follows a bundle until it is canceled, and reports all events to `tell`."""

    def __init__(
        self,
        asks: Asks,
        judge: Judge,
        shelf: LastGoodStore,
        tell: Callable[[News], None],
        *,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._asks: Final = asks
        self._judge: Final = judge
        self._shelf: Final = shelf
        self._tell: Final = tell
        self._wall_ns: Final = wall_ns
        self._current: Artifact | None = None
        self._etags: Final[dict[str, str]] = {}
        self._rejected: Final[dict[str, tuple[str, Rejected]]] = {}
        self._place = 0
        self._failures = 0
        self._away = False
        self._heard = False
        """True if the last request was answered."""
        self._noted_ns = 0

    async def run(self) -> None:
        """Begin with the stored bundle, then poll repeatedly."""
        await self._restore()
        while True:
            pause = await self.turn()
            if pause:
                await asyncio.sleep(pause)  # noqa: TID251 - the back-off is a real pause

    async def turn(self) -> float:
        """Ask one service once, and return the seconds to wait before the next turn."""
        url = self._asks.urls[self._place % len(self._asks.urls)]
        began, held = time.monotonic(), self._heard
        answer = await self._asks.ask(url, self._known(url), hold=held)
        self._heard = not isinstance(answer, ServiceUnreachable)
        if self._heard:
            self._reached(url)
        match answer:
            case ServiceUnreachable():
                return self._missed(url, answer)
            case Rejected():
                return self._reject(url, "", answer)
            case Fetched():
                return await self._take(url, answer)
            case Unchanged():
                self._unchanged(url)
                return 0 if not held or time.monotonic() - began >= PROMPT_S else LONGEST_PAUSE_S

    async def _restore(self) -> None:
        kept = await asyncio.to_thread(self._shelf.kept)
        if kept is None:
            return
        artifact = await asyncio.to_thread(self._judge, kept.content, 0)
        if isinstance(artifact, Rejected):
            self._tell(BundleRefused(artifact))
            return
        self._adopt(artifact, kept)

    def _adopt(self, artifact: Artifact, kept: LastGood) -> None:
        self._current = artifact
        self._tell(Followed(artifact, kept=True))
        self._tell(BundleConfirmed(max(1, min(kept.confirmed_ns, self._wall_ns()))))  # 0: at an unknown time

    def _known(self, url: str) -> str:
        """Return the ETag to send to this service: that of its rejected bundle, or else of the bundle in force."""
        if url in self._rejected:
            return self._rejected[url][0]
        return self._etags.get(url) or (f'"{self._current.digest}"' if self._current else "")

    def _reached(self, url: str) -> None:
        if self._away:
            self._away = False
            self._tell(Reached(url))

    def _missed(self, url: str, away: ServiceUnreachable) -> float:
        self._place += 1
        self._failures += 1
        if self._failures < len(self._asks.urls):
            self._tell(Passed(f"{url}: {away.detail}"))
            return 0
        if not self._away:
            self._away = True
            self._tell(Unreached(f"{url}: {away.detail}"))
        return self._pause()

    def _reject(self, url: str, etag: str, rejected: Rejected) -> float:
        known = self._rejected.get(url)
        self._rejected[url] = (etag, rejected)
        self._place += 1
        self._failures += 1
        if known != (etag, rejected):
            self._tell(BundleRefused(rejected))
        return self._pause()

    async def _take(self, url: str, fetched: Fetched) -> float:
        seq = self._current.manifest.metadata.seq if self._current else 0
        artifact = await asyncio.to_thread(self._judge, fetched.content, seq)
        if isinstance(artifact, Rejected):
            return self._reject(url, fetched.etag, artifact)
        same = self._current is not None and self._current.digest == artifact.digest
        self._good(url)
        self._etags[url] = fetched.etag
        if same:
            self._confirmed()
            return LONGEST_PAUSE_S
        self._etags.clear()
        self._etags[url] = fetched.etag
        self._current = artifact
        self._tell(Followed(artifact))
        await self._keep(artifact)
        self._confirmed()
        return 0 if fetched.etag else LONGEST_PAUSE_S

    def _unchanged(self, url: str) -> None:
        """Confirm the bundle in force, or forget a rejected one, so that it is fetched and verified again."""
        if self._rejected.pop(url, None) is not None:
            return
        self._good(url)
        self._confirmed()

    def _good(self, url: str) -> None:
        self._failures = 0
        self._rejected.pop(url, None)

    def _confirmed(self) -> None:
        now = self._wall_ns()
        self._tell(BundleConfirmed(now))
        if self._current is None or now - self._noted_ns < NOTED_EVERY_NS:
            return
        try:
            self._shelf.confirm(self._current.digest, now)
            self._noted_ns = now
        except OSError as error:
            self._tell(BundleNotKept(str(error)))

    async def _keep(self, artifact: Artifact) -> None:
        now = self._wall_ns()
        try:
            await asyncio.to_thread(self._shelf.keep, artifact.content, now)
            self._noted_ns = now
        except OSError as error:
            self._tell(BundleNotKept(str(error)))

    def _pause(self) -> float:
        """Return a pause that doubles, shortened at random so that gateways do not all return at once."""
        pause = min(FIRST_PAUSE_S * 2 ** min(self._failures, 10), LONGEST_PAUSE_S)
        return pause * random.uniform(0.5, 1)  # noqa: S311 - nothing secret depends on it
