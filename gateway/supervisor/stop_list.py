"""The stops that the managed OPA enforces: local stops and, if their key is configured, the stops of hubs.

Rule 1: stops add up: a call is stopped if any source stops it, so that a local stop works while a hub is unreachable.
Only the source that made a stop can lift it.
Rule 2: an unreadable file lifts nothing: the active stops stay. At the start, OPA is fed nothing and therefore decides
nothing.
Rule 3: the document's number never falls: it is the highest number of all sources, or the highest ever enforced.
Rule 4: a hub gets its own revision reported if the enforced document contains it: it does not know other numbers.
Rule 5: a hub's stop lasts its full duration by this machine's clock. If the hub's clock is behind, the end moves later
by the difference, but at most to a day after the stop was first known here. The end never moves earlier, even if clocks
change later.
Rule 6: a stop from another source that lasts longer than a day is enforced and logged: only a person may end it early.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.admission.record import rfc3339
from gateway.artifact.artifact import Artifact
from gateway.artifact.rejection import Rejected
from gateway.artifact.stop_file import ActiveStops, Stops
from gateway.artifact.stops_bundle import ENVIRONMENT, LONGEST_S, Stop, emergency_bundle, selected
from gateway.follow.acceptance import stops_in
from gateway.follow.bundle_endpoint import Offer
from gateway.follow.bundle_polling import APART_S
from gateway.journal.highest_policy_sequence import HighwaterFile
from gateway.settings import Settings
from gateway.supervisor.bundle_server import BundleServer
from gateway.supervisor.event_log import LogNote
from gateway.supervisor.inotify import noticing

_NS: Final = 1_000_000_000
_LONGEST_NS: Final = (LONGEST_S + 300) * _NS
"""Maximum remaining time of a stop, in case the clock of its source is ahead of this machine's."""
REMEMBERED: Final = 64
"""Number of past documents for which a hub's own revision is known; workers are behind by one or two."""
_LATEST_NS: Final = (1 << 63) - 1
"""The latest end, in the year 2262: a later time cannot be represented for OPA or in a log."""
_State = tuple[int, int, int] | None


class StopList:
    """Feeds the stops to OPA; `follows`: wait for the stops of a hub."""

    def __init__(self, stops: Stops, feed: BundleServer, note: LogNote, *, floor: int, follows: bool) -> None:
        """Take the store of local stops; `floor` is the highest number that was ever enforced."""
        self._stops: Final = stops
        self._feed: Final = feed
        self._note: Final = note
        self._floor: Final = floor
        self._follows: Final = follows
        self._hubs: Final[dict[str, Artifact]] = {}
        self._held: Final[dict[str, Mapping[str, str]]] = {}
        """The sources of the last documents: by document revision, the revision of each hub's stops."""
        self._local: ActiveStops | None = None
        self._behind_s: Final[dict[str, float]] = {}
        self._ends: dict[tuple[str, str], tuple[int, int]] = {}
        """For each stop of a hub: when it was first known, and its latest known end."""
        self._all: Sequence[Stop] = ()
        self._seen: _State = (0, 0, 0)
        self._known: Mapping[str, Stop] = {}
        self.problem = ""
        """Why the enforced stops differ from the file; empty if they do not."""

    async def run(self) -> None:
        """Check for changes until canceled, so that a stop takes effect at once."""
        with noticing(self._stops.path.parent) as notice:
            while True:
                self.look()
                await notice.change()

    def look(self) -> None:
        """Load the file if it has changed."""
        self._ended()
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._local = self._stops.standing()
        except OSError as error:
            self.problem = f"{error.filename}: {error.strerror}"
            self._note("stops_unreadable", detail=self.problem)
            return
        self.problem = ""
        self._offer()

    def take(self, url: str, artifact: Artifact) -> None:
        """Take the stops of the hub at `url`."""
        self._hubs[url] = artifact
        self._offer()

    def behind(self, url: str, seconds: float) -> None:
        """Record by how much the clock of the hub at `url` is behind this machine's; small changes are ignored."""
        known = self._behind_s.get(url, 0.0)
        if abs(seconds - known) > APART_S:
            self._behind_s[url] = seconds
            if seconds > known and url in self._hubs:
                self._offer()

    def known_as(self, url: str, revision: str) -> str:
        """Return the hub's own revision in the document of this revision; empty if the document contains none.

        It is also empty if the document is too old to be remembered: its number may be that of another hub.
        """
        return self._held.get(revision, {}).get(url, "") if self._follows else revision

    def _state(self) -> _State:
        try:
            status = self._stops.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size

    def _offer(self) -> None:
        """Offer the stops of all sources, once the file and a hub have been read."""
        if self._local is None or (self._follows and not self._hubs):
            return
        now = time.time_ns()
        local = [stop for stop in self._local.stops if stop.until_unix_ns > now]
        there, moved = self._there()
        own = max(self._local.seq, self._floor)
        hubs = list(self._hubs.values())
        if len(hubs) == 1 and not local and not moved and hubs[0].manifest.metadata.seq >= own:
            self._feed.stops(hubs[0])
            self._remember(hubs[0].revision)
        else:
            seq = max(own, *(hub.manifest.metadata.seq for hub in hubs), 0)
            packed = emergency_bundle(_distinct([*there, *local]), seq, self._feed.stops_key)
            self._feed.stops(Offer(f'"{hashlib.sha256(packed.content).hexdigest()}"', packed.content))
            self._remember(packed.revision)
        self._tell([*there, *local], now)

    def _there(self) -> tuple[list[Stop], bool]:
        """Return the stops of all hubs, and whether the end of one was moved."""
        made = [(url, stop) for url, hub in self._hubs.items() for stop in _stops_of(hub)]
        now = time.time_ns()
        ends = {(url, stop.id): self._end(url, stop, now) for url, stop in made}
        self._ends = ends
        stops = [replace(stop, until_unix_ns=ends[url, stop.id][1]) for url, stop in made]
        return stops, stops != [stop for _, stop in made]

    def _end(self, url: str, stop: Stop, now: int) -> tuple[int, int]:
        """Return since when a hub's stop is known, and its end by this machine's clock."""
        since, known = self._ends.get((url, stop.id), (now, 0))
        furthest = max(stop.until_unix_ns, since) + LONGEST_S * _NS
        moved = min(stop.until_unix_ns + int(self._behind_s.get(url, 0.0) * _NS), furthest)
        return since, min(max(known, moved), _LATEST_NS)

    def _ended(self) -> None:
        """Report stops that have ended."""
        now = time.time_ns()
        if any(stop.until_unix_ns <= now for stop in self._known.values()):
            self._tell(self._all, now)

    def _remember(self, revision: str) -> None:
        self._held[revision] = {url: hub.revision for url, hub in self._hubs.items()}
        for old in list(self._held)[:-REMEMBERED]:
            del self._held[old]

    def _tell(self, stops: Sequence[Stop], now: int) -> None:
        """Report the new and the lifted stops since the last time."""
        self._all = stops
        standing = {stop.id: stop for stop in stops if stop.until_unix_ns > now}
        for stop_id, stop in standing.items():
            if stop_id not in self._known:
                self._note("stopped", detail=_words(stop))
                if stop.until_unix_ns - now > _LONGEST_NS:
                    self._note("stop_duration_exceeded", detail=_words(stop))
        for stop_id, stop in self._known.items():
            if stop_id not in standing:
                self._note("lifted" if stop.until_unix_ns > now else "stop_ended", detail=_words(stop))
        self._known = standing


def _stops_of(artifact: Artifact) -> tuple[Stop, ...]:
    """Return the stops of a hub's document, which was checked before."""
    found = stops_in(artifact)
    if isinstance(found, Rejected):
        raise TypeError(str(found))
    return found


def _distinct(stops: Sequence[Stop]) -> list[Stop]:
    """Return each stop once: two hubs may know the same one."""
    return [*{msgspec.json.encode(stop): stop for stop in stops}.values()]


def _words(stop: Stop) -> str:
    until = rfc3339(stop.until_unix_ns)
    return f"{selected(stop)}, by {stop.by}, until {until}: {stop.because} (stop {stop.id})"


@contextlib.asynccontextmanager
async def stopping(settings: Settings, feed: BundleServer, note: LogNote) -> AsyncGenerator[StopList]:
    """Feed the stops while the block runs; raise OSError if the highest enforced number cannot be read."""
    bundle = settings.policy.bundle
    stops = StopList(
        Stops(settings.state.directory),
        feed,
        note,
        floor=HighwaterFile(settings.journal.directory).seen(ENVIRONMENT),
        follows=bundle is not None and bundle.emergency is not None,
    )
    stops.look()
    looking = asyncio.create_task(stops.run())
    try:
        yield stops
    finally:
        looking.cancel()
        await asyncio.wait([looking])
