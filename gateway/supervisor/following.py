"""Bundles from afar: the policy and, where its key is in the settings, the stops of a hub, followed and fed to OPA.

Rule 1: what is followed is judged here, before OPA sees it; what is rejected is told with its code and changes nothing.
Rule 2: the policy counts as confirmed when it and the stops were: a gateway that hears of no stops must not feel fresh.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Final

from gateway.admission.policy_input import SCHEMA
from gateway.bundle.artefact import Artefact
from gateway.bundle.emergency import ENVIRONMENT
from gateway.bundle.follow import Confirmed, Followed, Follower, News, Reached, Refused, Unkept, Unreached
from gateway.bundle.judging import POLICIES, STOPS, Use, judged
from gateway.bundle.kept import Shelf
from gateway.bundle.polling import Service, polling
from gateway.bundle.rejection import Rejected
from gateway.bundle.serve import EMERGENCY_RESOURCE
from gateway.bundle.trusted import KeyFile, verifying_key
from gateway.bundle.verifying import Standing, VerifyingKey
from gateway.journal.highwater import Highwater
from gateway.settings import BundleKey, BundleService, Settings
from gateway.supervisor.chronicle import Note
from gateway.supervisor.feeding import Feed
from gateway.supervisor.stopping import Stopping
from gateway.version import VERSION

HUB_STOPS: Final = "emergency/hub"
"""Where the highest number of a hub's stops is kept: no environment has such a name. It is another than that of what is
enforced, which stops of this machine raise, too: those must not make a hub's look old.
"""
KEPT: Final = "bundles"
"""The directory of the last good bundles, in the state directory."""


class Following:
    """What is followed, as health, workers and heartbeats see it."""

    waiting: Final = "no bundle that may be enforced has come from `policy.bundle` yet"

    def __init__(self, feed: Feed, stops: Stopping, note: Note, highwater: Highwater, *, stops_too: bool) -> None:
        self._highwater: Final = highwater
        self._feed: Final = feed
        self._stops: Final = stops
        self._note: Final = note
        self._problems: Final[dict[str, str]] = {}
        self._away: Final[dict[str, str]] = {}
        self._confirmed: Final[dict[str, int]] = dict.fromkeys(("policy", "emergency") if stops_too else ("policy",), 0)
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
        """Why no hub answers; empty while one does."""
        return "; ".join(self._away.values())

    @property
    def confirmed(self) -> tuple[int, str]:
        """When the policy was confirmed last (wall, nanoseconds; 0: never), and which."""
        return min(self._confirmed.values()), self._revision

    def policy(self, news: News) -> None:
        """Take what happened to the policy."""
        if isinstance(news, Followed):
            self._feed.policy(news.artefact)
            self._revision = news.artefact.revision
            self.first.set()
        self._took("policy", news, "")

    def emergency(self, news: News) -> None:
        """Take what happened to the hub's stops."""
        if isinstance(news, Followed):
            self._stops.take(news.artefact)
            raising = asyncio.create_task(self._raise(news.artefact.manifest.metadata.seq))
            self._raising.add(raising)
            raising.add_done_callback(self._raising.discard)
        self._took("emergency", news, "emergency_")

    def ended(self, what: str, running: asyncio.Task[None]) -> None:
        """Tell when following has ended by an error: the policy grows stale from now on."""
        error = None if running.cancelled() else running.exception()
        if error is not None:
            self._problems[what] = f"unfollowed: {error!r}: restart the gateway"
            self._note("unfollowed", detail=f"{error!r}: restart the gateway")
            self.on_problem()

    async def _raise(self, seq: int) -> None:
        """Keep the number of a hub's stops, while OPA takes them: a stop does not wait for a disk."""
        try:
            await asyncio.to_thread(self._highwater.raise_to, HUB_STOPS, seq)
        except OSError as error:
            self._note("emergency_unkept", detail=str(error))

    def _took(self, what: str, news: News, prefix: str) -> None:
        before = self.problem
        self._tell(what, news, prefix)
        if self.problem != before:
            self.on_problem()

    def _tell(self, what: str, news: News, prefix: str) -> None:
        match news:
            case Followed(artefact=artefact, kept=kept):
                self._problems.pop(what, None)
                detail = "kept from an earlier run" if kept else ""
                self._note(f"{prefix}followed", revision=artefact.revision, detail=detail)
            case Confirmed(unix_ns=unix_ns):
                self._problems.pop(what, None)
                self._confirmed[what] = unix_ns
                if (confirmed := self.confirmed)[0]:
                    self.on_confirmed(*confirmed)
            case Refused(rejected=rejected):
                self._problems[what] = str(rejected)
                self._note(f"{prefix}rejected", code=rejected.code, detail=rejected.detail)
            case Unreached(detail=detail):
                self._away[what] = detail
                self._note(f"{prefix}hub_unreachable", detail=detail)
            case Reached(url=url):
                self._away.pop(what, None)
                self._note(f"{prefix}hub_reached", detail=url)
            case Unkept(detail=detail):
                self._note(f"{prefix}unkept", detail=detail)


def _nobody_minds() -> None:
    return


def _nobody_listens(_unix_ns: int, _revision: str) -> None:
    return


@contextlib.asynccontextmanager
async def following(
    settings: Settings, service: BundleService, feed: Feed, stops: Stopping, note: Note
) -> AsyncGenerator[Following]:
    """Follow while the block runs; raises OSError or ValueError where a file of the settings is of no use."""
    keys_of(service.keys)
    highwater = Highwater(settings.journal.directory)
    found = Following(feed, stops, note, highwater, stops_too=service.emergency is not None)
    wanted = [(POLICIES, service.path, service.keys, found.policy)]
    if service.emergency is not None:
        keys_of([service.emergency])
        wanted.append((STOPS, EMERGENCY_RESOURCE, (service.emergency,), found.emergency))
    async with contextlib.AsyncExitStack() as stack:
        for use, path, keys, tell in wanted:
            asks = await stack.enter_async_context(polling(service_of(settings, service), path))
            shelf = Shelf(settings.state.directory / KEPT, "policy" if use is POLICIES else "emergency")
            follower = Follower(asks, partial(_judged, settings, use, keys), shelf, tell)
            running = asyncio.create_task(follower.run())
            running.add_done_callback(partial(found.ended, "policy" if use is POLICIES else "emergency"))
            stack.push_async_callback(_cancelled, running)
        yield found


def service_of(settings: Settings, service: BundleService) -> Service:
    """Return the service as it is asked."""
    return Service(urls=service.urls, token_file=service.token_file, ca_file=service.ca_file, labels=settings.labels)


def keys_of(keys: Sequence[BundleKey]) -> list[VerifyingKey]:
    """Return the keys in these files; raises OSError or ValueError where one is of no use."""
    return [verifying_key(KeyFile(file=key.file, keyid=key.keyid, algorithm=key.algorithm)) for key in keys]


def _judged(settings: Settings, use: Use, keys: Sequence[BundleKey], content: bytes, seq: int) -> Artefact | Rejected:
    """Judge by the keys and the highest number of this moment: files may change while the gateway runs."""
    environment = ENVIRONMENT if use is STOPS else settings.policy.environment
    bundle = settings.policy.bundle
    try:
        highest = Highwater(settings.journal.directory).seen(HUB_STOPS if use is STOPS else environment)
    except OSError as error:
        return Rejected("policy_regressed", f"what was enforced before cannot be read: {error}")
    standing = Standing(
        environment=environment,
        highest_seq=max(seq, highest),
        unix_ns=time.time_ns(),
        version=VERSION,
        input_schema=SCHEMA,
        grace_s=0 if bundle is None else bundle.not_after_grace_s,
    )
    try:
        return judged(content, use, [key for each in keys for key in _readable(each)], standing)
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
        # Bytes of anybody's making: nothing in them may end the following of what comes after them.
        return Rejected("bundle_unreadable", f"it cannot be judged: {type(error).__name__}")


def _readable(key: BundleKey) -> list[VerifyingKey]:
    """A key whose file is of no use any more is no key."""
    try:
        return keys_of([key])
    except (OSError, ValueError):
        return []


async def _cancelled(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.wait([running])
