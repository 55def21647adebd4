"""Follows one bundle of a service: the newest good one is taken, every other is told and leaves things as they are.

Rule 1: a bundle counts only when it was judged; until then, and where it is rejected, the last good one stays.
Rule 2: confirmed means that a service said of the bundle in force that it has nothing newer. A rejected bundle, and a
service that is away, confirm nothing: the policy in force grows stale, and denies at its limit.
Rule 3: services are asked in turn: the next one after a failure or a rejection, with a growing pause after a round.
Rule 4: a rejected bundle is waited out, not fetched again and again; once a wait it is judged anew.
Rule 5: a service that was not heard before, or not the last time, is to answer at once: it may confirm what is stale.
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
"""A service that says sooner than this that nothing has changed does not hold questions: it is asked less often."""
NOTED_EVERY_NS: Final = 10_000_000_000
"""How often a confirmation is written down."""


class Followed(Struct, frozen=True):
    """This bundle is the one to enforce from now on; `kept` where it is the one of the last run."""

    artifact: Artifact
    kept: bool = False


class BundleConfirmed(Struct, frozen=True):
    """The bundle in force was the newest at this time (wall, nanoseconds)."""

    unix_ns: int


class BundleRefused(Struct, frozen=True):
    """What a service has may not be enforced."""

    rejected: Rejected


class Passed(Struct, frozen=True):
    """This service does not answer, so that the next one is asked."""

    detail: str


class Unreached(Struct, frozen=True):
    """No service answers."""

    detail: str


class Reached(Struct, frozen=True):
    """A service answers again."""

    url: str


class BundleNotKept(Struct, frozen=True):
    """The bundle could not be kept for the next start."""

    detail: str


News = Followed | BundleConfirmed | BundleRefused | Passed | Unreached | Reached | BundleNotKept
Judge = Callable[[bytes, int], Artifact | Rejected]
"""Judges bytes, given the sequence number of the bundle in force."""


class Asks(Protocol):
    """What asks a service."""

    @property
    def urls(self) -> tuple[str, ...]: ...
    async def ask(self, url: str, etag: str, *, hold: bool) -> Answer: ...


class Follower:
    """Follows until cancelled; tells everything that happens."""

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
        """Whether the last question was answered."""
        self._noted_ns = 0

    async def run(self) -> None:
        """Begin with what was kept, then ask again and again."""
        await self._restore()
        while True:
            pause = await self.turn()
            if pause:
                await asyncio.sleep(pause)  # noqa: TID251 - the back-off is a real pause

    async def turn(self) -> float:
        """Ask one service once; the seconds to wait before the next turn."""
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
        self._tell(BundleConfirmed(max(1, min(kept.confirmed_ns, self._wall_ns()))))  # 0: long ago, nobody knows when

    def _known(self, url: str) -> str:
        """The ETag that this service would change: of what it had when it was rejected, else of what is in force."""
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
        """Confirm what is in force; what was rejected is fetched anew and judged again, now that time has passed."""
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
        """A pause that doubles, shortened at random so that gateways do not all come back at once."""
        pause = min(FIRST_PAUSE_S * 2 ** min(self._failures, 10), LONGEST_PAUSE_S)
        return pause * random.uniform(0.5, 1)  # noqa: S311 - nothing secret depends on it
