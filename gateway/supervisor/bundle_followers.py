"""Bundles from afar: the policy and, where its key is in the settings, the stops of hubs, followed and fed to OPA.

Rule 1: what is followed is judged here, before OPA sees it; what is rejected is told with its code and changes nothing.
Rule 2: the policy counts as confirmed when it and the stops were: a gateway that hears of no stops must not feel fresh.
Rule 3: the policy is that of one hub, the others stand by; stops are those of every hub, each numbered by itself, so
that one which is down, behind or ahead holds back and lifts nothing of another.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from functools import partial
from typing import Final

from gateway.follow.acceptance import POLICIES, STOPS
from gateway.follow.bundle_endpoint import EMERGENCY_RESOURCE
from gateway.follow.bundle_polling import patience, polling
from gateway.follow.follower import (
    BundleConfirmed,
    BundleNotKept,
    BundleRefused,
    Followed,
    Follower,
    News,
    Passed,
    Reached,
    Unreached,
)
from gateway.follow.last_good import LastGoodStore
from gateway.journal.highwater import HighwaterFile
from gateway.settings import BundleServiceSettings, Settings
from gateway.supervisor.bundle_server import BundleServer
from gateway.supervisor.event_log import LogNote
from gateway.supervisor.follow_spec import FollowSpec, fit, keys_of, service_of
from gateway.supervisor.stop_list import StopList

HUB_STOPS: Final = "emergency/hub"
"""Where the highest number of a hub's stops is kept, with a digest of its URL: no environment has such a name. It is
another than that of what is enforced, which stops of this machine raise, too: those must not make a hub's look old.
"""
POLICY: Final = "policy"
EMERGENCY: Final = "emergency"
KEPT: Final = "bundles"
"""The directory of the last good bundles, in the state directory."""


class BundleFollowers:
    """What is followed, as health, workers and heartbeats see it."""

    waiting: Final = "no bundle that may be enforced has come from `policy.bundle` yet"

    def __init__(
        self, feed: BundleServer, stops: StopList, note: LogNote, highwater: HighwaterFile, *, hubs: Sequence[str]
    ) -> None:
        """`hubs` are those whose stops are followed."""
        self._highwater: Final = highwater
        self._feed: Final = feed
        self._stops: Final = stops
        self._note: Final = note
        self._problems: Final[dict[str, str]] = {}
        self._away: Final[dict[str, str]] = {}
        self._unheard: Final[dict[str, str]] = {}
        self._clocks: Final[dict[str, str]] = {}
        self._confirmed: Final[dict[str, int]] = dict.fromkeys((POLICY, *hubs), 0)
        self._revision = ""
        self._raising: Final[set[asyncio.Task[None]]] = set()
        self.first: Final = asyncio.Event()
        """Set when there is something to feed OPA with."""
        self.on_problem: Callable[[], None] = _nobody_minds
        """Called when something was rejected, or is not any more."""
        self.on_confirmed: Callable[[int, str], None] = _nobody_listens
        """Called with when the policy was confirmed, and which, whenever that is news."""

    @property
    def problem(self) -> str:
        """What was rejected last, with its code; empty where the newest is followed."""
        return "; ".join(self._problems.values())

    @property
    def away(self) -> str:
        """Which hubs are missed, and why: all for the policy, any for its stops."""
        return "; ".join(self._away.values())

    @property
    def unheard(self) -> str:
        """Which hubs refuse this gateway's heartbeats, and why; empty while none does."""
        return "; ".join(f"{url}: {why}" for url, why in self._unheard.items())

    def heard(self, url: str, why: str) -> None:
        """Take why a hub refuses this gateway's heartbeats; empty where it takes them."""
        if why and self._unheard.get(url) != why:
            self._note("heartbeat_refused", detail=f"{url}: {why}")
        if not why and url in self._unheard:
            self._note("heartbeat_accepted", detail=url)
        self._unheard.pop(url, None)
        if why:
            self._unheard[url] = why

    @property
    def clocks(self) -> str:
        """Whose clock is not ours, and by how much; empty where all agree."""
        return "; ".join(self._clocks.values())

    @property
    def confirmed(self) -> tuple[int, str]:
        """When the policy was confirmed last (wall, nanoseconds; 0: never), and which."""
        policy, *stops = self._confirmed.values()
        return min(policy, max(stops, default=policy)), self._revision

    def policy(self, news: News) -> None:
        """Take what happened to the policy."""
        if isinstance(news, Followed):
            self._feed.policy(news.artifact)
            self._revision = news.artifact.revision
            self.first.set()
        self._took(POLICY, news, "")

    def emergency(self, url: str, level: str, news: News) -> None:
        """Take what happened to the stops of the hub at `url`, whose highest number is kept under `level`."""
        if isinstance(news, Followed):
            self._stops.take(url, news.artifact)
            raising = asyncio.create_task(self._raise(level, news.artifact.manifest.metadata.seq))
            self._raising.add(raising)
            raising.add_done_callback(self._raising.discard)
        self._took(url, news, "emergency_")

    def clock(self, url: str, ahead_s: float) -> None:
        """Take by how much the clock of a hub is ahead of ours; negative: behind."""
        self._stops.behind(url, max(0.0, -ahead_s))
        known = url in self._clocks
        if ahead_s:
            words = "ahead of" if ahead_s > 0 else "behind"
            self._clocks[url] = f"{url}: its clock is {abs(ahead_s):.0f} s {words} this machine's"
            if not known:
                self._note("clock_skew", detail=f"{self._clocks[url]}: see which of them is wrong")
        elif known:
            del self._clocks[url]
            self._note("clock_in_sync", detail=url)

    def ended(self, what: str, running: asyncio.Task[None]) -> None:
        """Tell when following has ended by an error: the policy grows stale from now on."""
        error = None if running.cancelled() else running.exception()
        if error is not None:
            self._problems[what] = f"unfollowed: {error!r}: restart the gateway"
            self._note("follower_crashed", detail=f"{error!r}: restart the gateway")
            self.on_problem()

    async def _raise(self, level: str, seq: int) -> None:
        """Keep the number of a hub's stops, while OPA takes them: a stop does not wait for a disk."""
        try:
            await asyncio.to_thread(self._highwater.raise_to, level, seq)
        except OSError as error:
            self._note("emergency_cache_write_failed", detail=str(error))

    def _took(self, what: str, news: News, prefix: str) -> None:
        before = self.problem
        self._tell(what, news, prefix)
        if self.problem != before:
            self.on_problem()

    def _tell(self, what: str, news: News, prefix: str) -> None:
        match news:
            case Followed(artifact=artifact, kept=kept):
                self._problems.pop(what, None)
                detail = "kept from an earlier run" if kept else ""
                self._note(f"{prefix}followed", revision=artifact.revision, detail=detail)
            case BundleConfirmed(unix_ns=unix_ns):
                self._problems.pop(what, None)
                self._confirmed[what] = unix_ns
                if (confirmed := self.confirmed)[0]:
                    self.on_confirmed(*confirmed)
            case BundleRefused(rejected=rejected):
                self._problems[what] = str(rejected)
                self._note(f"{prefix}rejected", code=rejected.code, detail=rejected.detail)
            case Passed(detail=detail):
                self._note(f"{prefix}hub_skipped", detail=detail)
            case Unreached(detail=detail):
                self._away[what] = detail
                self._note(f"{prefix}hub_unreachable", detail=detail)
            case Reached(url=url):
                self._away.pop(what, None)
                self._note(f"{prefix}hub_reached", detail=url)
            case BundleNotKept(detail=detail):
                self._note(f"{prefix}cache_write_failed", detail=detail)


def _nobody_minds() -> None:
    return


def _nobody_listens(_unix_ns: int, _revision: str) -> None:
    return


@contextlib.asynccontextmanager
async def following(
    settings: Settings, service: BundleServiceSettings, feed: BundleServer, stops: StopList, note: LogNote
) -> AsyncGenerator[BundleFollowers]:
    """Follow while the block runs; raises OSError or ValueError where a file of the settings is of no use."""
    keys_of(service.keys)
    if service.emergency is not None:
        keys_of([service.emergency])
    highwater = HighwaterFile(settings.journal.directory)
    hubs = service.urls if service.emergency is not None else ()
    found = BundleFollowers(feed, stops, note, highwater, hubs=hubs)
    policy = FollowSpec(
        use=POLICIES,
        path=service.path,
        urls=service.urls,
        keys=service.keys,
        level=settings.policy.environment,
        kept=POLICY,
        tell=found.policy,
    )
    async with contextlib.AsyncExitStack() as stack:
        for each in (policy, *_emergencies(service, found)):
            asked = polling(service_of(settings, service, each.urls), each.path, patience(settings.opa.stale_hard_s))
            asks = await stack.enter_async_context(asked)
            asks.on_clock = found.clock
            shelf = LastGoodStore(settings.state.directory / KEPT, each.kept)
            follower = Follower(asks, partial(fit, settings, each), shelf, each.tell)
            running = asyncio.create_task(follower.run())
            running.add_done_callback(partial(found.ended, each.kept))
            stack.push_async_callback(_cancelled, running)
        yield found


def _emergencies(service: BundleServiceSettings, found: BundleFollowers) -> Iterator[FollowSpec]:
    """The stops of each hub, kept by its URL: those of one that is away stand also when another is named beside it."""
    for url in dict.fromkeys(service.urls) if service.emergency is not None else ():
        mark = f"-{hashlib.sha256(url.rstrip('/').encode()).hexdigest()[:16]}"
        level = f"{HUB_STOPS}{mark}"
        yield FollowSpec(
            use=STOPS,
            path=EMERGENCY_RESOURCE,
            urls=(url,),
            keys=() if service.emergency is None else (service.emergency,),
            level=level,
            kept=f"{EMERGENCY}{mark}",
            tell=partial(found.emergency, url, level),
        )


async def _cancelled(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.wait([running])
