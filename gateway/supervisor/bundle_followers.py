"""Follow the policy bundle and, if their key is configured, the stops of hubs; check them and feed them to OPA.

Rule 1: a bundle is checked here before OPA sees it. A rejected bundle is logged with its code and changes nothing.
Rule 2: the policy counts as confirmed only when the stops are confirmed too. A gateway that receives no stops must not
count as fresh.
Rule 3: the policy comes from one hub, and the other hubs are alternatives. Stops come from every hub, each with its own
numbers. A hub that is down, behind or ahead neither delays nor lifts the stops of another hub.
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
from gateway.journal.highest_policy_sequence import HighwaterFile
from gateway.settings import BundleServiceSettings, Settings
from gateway.supervisor.bundle_server import BundleServer
from gateway.supervisor.event_log import LogNote
from gateway.supervisor.follow_spec import FollowSpec, fit, keys_of, service_of
from gateway.supervisor.stop_list import StopList

HUB_STOPS: Final = "emergency/hub"
"""Key of the highest sequence number of a hub's stops, followed by a digest of its URL; no environment has this name.
It differs from the number of the enforced stops, because local stops raise that one as well. A hub's stops must not
look old because of local stops.
"""
POLICY: Final = "policy"
EMERGENCY: Final = "emergency"
KEPT: Final = "bundles"
"""Directory of the last good bundles, in the state directory."""


class BundleFollowers:
    """The state of the followed bundles, for health, workers and heartbeats."""

    waiting: Final = "no acceptable bundle has been received from `policy.bundle` yet"

    def __init__(
        self, feed: BundleServer, stops: StopList, note: LogNote, highwater: HighwaterFile, *, hubs: Sequence[str]
    ) -> None:
        """Track the policy, and the stops of these hubs."""
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
        """Set when there is a policy to feed OPA with."""
        self.on_problem: Callable[[], None] = _nobody_minds
        """Called when a bundle was rejected, or a rejection is over."""
        self.on_confirmed: Callable[[int, str], None] = _nobody_listens
        """Called with the time and the revision when the policy was confirmed."""

    @property
    def problem(self) -> str:
        """The last rejection, with its code; empty if the newest bundle is followed."""
        return "; ".join(self._problems.values())

    @property
    def away(self) -> str:
        """The unreachable hubs, and why: listed if all fail for the policy, or if any fails for its stops."""
        return "; ".join(self._away.values())

    @property
    def unheard(self) -> str:
        """The hubs that refuse this gateway's heartbeats, and why; empty if none does."""
        return "; ".join(f"{url}: {why}" for url, why in self._unheard.items())

    def heard(self, url: str, why: str) -> None:
        """Record why a hub refuses this gateway's heartbeats; `why` is empty if it accepts them."""
        if why and self._unheard.get(url) != why:
            self._note("heartbeat_refused", detail=f"{url}: {why}")
        if not why and url in self._unheard:
            self._note("heartbeat_accepted", detail=url)
        self._unheard.pop(url, None)
        if why:
            self._unheard[url] = why

    @property
    def clocks(self) -> str:
        """The hubs whose clocks differ from this machine's, and by how much; empty if all agree."""
        return "; ".join(self._clocks.values())

    @property
    def confirmed(self) -> tuple[int, str]:
        """The time of the last confirmation (wall, nanoseconds; 0: never), and the confirmed revision."""
        policy, *stops = self._confirmed.values()
        return min(policy, max(stops, default=policy)), self._revision

    def policy(self, news: News) -> None:
        """Handle an event of the policy."""
        if isinstance(news, Followed):
            self._feed.policy(news.artifact)
            self._revision = news.artifact.revision
            self.first.set()
        self._took(POLICY, news, "")

    def emergency(self, url: str, level: str, news: News) -> None:
        """Handle an event of the stops of the hub at `url`, whose highest number is stored under `level`."""
        if isinstance(news, Followed):
            self._stops.take(url, news.artifact)
            raising = asyncio.create_task(self._raise(level, news.artifact.manifest.metadata.seq))
            self._raising.add(raising)
            raising.add_done_callback(self._raising.discard)
        self._took(url, news, "emergency_")

    def clock(self, url: str, ahead_s: float) -> None:
        """Record by how much a hub's clock is ahead of this machine's; negative: behind."""
        self._stops.behind(url, max(0.0, -ahead_s))
        known = url in self._clocks
        if ahead_s:
            words = "ahead of" if ahead_s > 0 else "behind"
            self._clocks[url] = f"{url}: its clock is {abs(ahead_s):.0f} s {words} this machine's"
            if not known:
                self._note("clock_skew", detail=f"{self._clocks[url]}: check which clock is wrong")
        elif known:
            del self._clocks[url]
            self._note("clock_in_sync", detail=url)

    def ended(self, what: str, running: asyncio.Task[None]) -> None:
        """Log that an error ended a follower: from now on, the policy becomes stale."""
        error = None if running.cancelled() else running.exception()
        if error is not None:
            self._problems[what] = f"bundles are no longer followed: {error!r}: restart the gateway"
            self._note("follower_crashed", detail=f"{error!r}: restart the gateway")
            self.on_problem()

    async def _raise(self, level: str, seq: int) -> None:
        """Store the number of a hub's stops while OPA loads them: a stop does not wait for the disk."""
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
    """Follow the bundles while the block runs; raise OSError or ValueError if a file in the settings is unusable."""
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
    """Yield the stops of each hub, stored by its URL, so that they stay in force when another URL is added."""
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
