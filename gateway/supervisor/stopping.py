"""The stops that the managed OPA decides by: those of this machine, and a hub's where its key is in the settings.

Rule 1: stops add up: what either stops is stopped, so that a gateway can be told also while its hub is away.
Rule 2: a file that cannot be read lifts nothing: what stood stays, and at the start OPA is fed nothing and so decides
nothing.
Rule 3: the document's number never falls: it is that of the newer of the two, or the highest ever enforced.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from gateway.admission.record import rfc3339
from gateway.bundle.artefact import Artefact
from gateway.bundle.emergency import ENVIRONMENT, Stop, emergency_bundle
from gateway.bundle.judging import stops_in
from gateway.bundle.rejection import Rejected
from gateway.bundle.serve import Offer
from gateway.bundle.stops import Standing, Stops
from gateway.journal.highwater import Highwater
from gateway.settings import Settings
from gateway.supervisor.chronicle import Note
from gateway.supervisor.feeding import Feed
from gateway.supervisor.noticing import noticing

_State = tuple[int, int, int] | None


class Stopping:
    """Feeds the stops; `follows` where a hub's are waited for."""

    def __init__(self, stops: Stops, feed: Feed, note: Note, *, floor: int, follows: bool) -> None:
        """Take where stops are kept; `floor` is the highest number that was ever enforced."""
        self._stops: Final = stops
        self._feed: Final = feed
        self._note: Final = note
        self._floor: Final = floor
        self._follows: Final = follows
        self._hub: Artefact | None = None
        self._local: Standing | None = None
        self._seen: _State = (0, 0, 0)
        self._known: Mapping[str, Stop] = {}
        self.problem = ""
        """Why the file of stops is not what is enforced; empty where it is."""

    async def run(self) -> None:
        """Look for changes until cancelled: a stop is to be felt at once."""
        with noticing(self._stops.path.parent) as notice:
            while True:
                self.look()
                await notice.change()

    def look(self) -> None:
        """Take what the file says, where it has changed."""
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

    def take(self, artefact: Artefact) -> None:
        """Take a hub's stops."""
        self._hub = artefact
        self._offer()

    def _state(self) -> _State:
        try:
            status = self._stops.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size

    def _offer(self) -> None:
        """Offer what both say together, once both have said something."""
        if self._local is None or (self._follows and self._hub is None):
            return
        now = time.time_ns()
        local = [stop for stop in self._local.stops if stop.until_unix_ns > now]
        hub, there = self._hub, _stops_of(self._hub)
        own = max(self._local.seq, self._floor)
        if hub is not None and not local and hub.manifest.metadata.seq >= own:
            self._feed.stops(hub)
        else:
            seq = max(own, 0 if hub is None else hub.manifest.metadata.seq)
            content = emergency_bundle([*there, *local], seq, self._feed.stops_key).content
            self._feed.stops(Offer(f'"{hashlib.sha256(content).hexdigest()}"', content))
        self._tell([*there, *local], now)

    def _tell(self, stops: list[Stop], now: int) -> None:
        """Say what has been stopped and lifted since the last time."""
        standing = {stop.id: stop for stop in stops if stop.until_unix_ns > now}
        for stop_id, stop in standing.items():
            if stop_id not in self._known:
                self._note("stopped", detail=_words(stop))
        for stop_id, stop in self._known.items():
            if stop_id not in standing:
                self._note("lifted" if stop.until_unix_ns > now else "stop_ended", detail=_words(stop))
        self._known = standing


def _stops_of(artefact: Artefact | None) -> tuple[Stop, ...]:
    """The stops of a hub's document, which was judged before."""
    found = () if artefact is None else stops_in(artefact)
    if isinstance(found, Rejected):
        raise TypeError(str(found))
    return found


def _words(stop: Stop) -> str:
    until = rfc3339(stop.until_unix_ns)
    return f"{stop.kind} {stop.name}, by {stop.by}, until {until}: {stop.because} (stop {stop.id})"


@contextlib.asynccontextmanager
async def stopping(settings: Settings, feed: Feed, note: Note) -> AsyncGenerator[Stopping]:
    """The stops, fed while the block runs; raises OSError where the highest number enforced cannot be read."""
    bundle = settings.policy.bundle
    stops = Stopping(
        Stops(settings.state.directory),
        feed,
        note,
        floor=Highwater(settings.journal.directory).seen(ENVIRONMENT),
        follows=bundle is not None and bundle.emergency is not None,
    )
    stops.look()
    looking = asyncio.create_task(stops.run())
    try:
        yield stops
    finally:
        looking.cancel()
        await asyncio.wait([looking])
