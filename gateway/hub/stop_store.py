"""The stops of a directory: created and lifted with a journal of who did it, and served as the emergency bundle.

Rule 1: a stop or a lift is in `stops.jsonl` before it takes effect.
Rule 2: a bundle with a lower sequence number never replaces one with a higher number, regardless of creation order.
"""

import hashlib
import secrets
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.signing import SigningKey
from gateway.artifact.stop_file import ActiveStops, Stops
from gateway.artifact.stops_bundle import Kind, Stop, emergency_bundle, fault, indexed
from gateway.durable_files import locked
from gateway.follow.bundle_endpoint import Offer, Offering
from gateway.hub.artifact_store import instant
from gateway.hub.line_journal import LOCK, append, cut

JOURNAL: Final = "stops.jsonl"
_NS: Final = 1_000_000_000


class StopEntry(Struct, frozen=True, kw_only=True):
    """One line of the journal of stops."""

    time: str
    action: str
    """`stop` or `lift`."""
    stop: Stop
    by: str
    because: str


def new_stop(chosen: Mapping[Kind, str], *, for_s: float, because: str, about: tuple[str, int]) -> Stop:
    """Build a stop of the calls that all of `chosen` select, with a new id; `about`: author, and wall time in ns."""
    by, unix_ns = about
    kind, name, also = indexed(chosen)
    return Stop(
        id=f"stop-{secrets.token_hex(4)}",
        kind=kind,
        name=name,
        until_unix_ns=unix_ns + int(for_s * _NS),
        because=because,
        by=by,
        at=instant(unix_ns),
        also=also,
    )


def stopped(directory: Path, stop: Stop, unix_ns: int) -> ActiveStops | str:
    """Add a stop and return the active stops, or why it is invalid; an OSError leaves everything unchanged."""
    wrong = fault(stop, unix_ns)
    if wrong:
        return wrong
    entry = StopEntry(time=instant(unix_ns), action="stop", stop=stop, by=stop.by, because=stop.because)
    with _journaled(directory, entry):
        return Stops(directory).add(stop, unix_ns)


def lifted(directory: Path, stop_id: str, *, by: str, because: str, unix_ns: int) -> ActiveStops | None:
    """Remove a stop and return the active stops; None if the id is unknown; an OSError leaves everything unchanged."""
    stop = next((each for each in Stops(directory).standing().stops if each.id == stop_id), None)
    if stop is None:
        return None
    entry = StopEntry(time=instant(unix_ns), action="lift", stop=stop, by=by, because=because)
    with _journaled(directory, entry):
        return Stops(directory).lift(stop_id, unix_ns)


@contextmanager
def _journaled(directory: Path, entry: StopEntry) -> Generator[None]:
    """Add an entry to the journal, and run the block that makes it true; remove the entry if the block fails."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    journal = directory / JOURNAL
    with locked(directory / LOCK):
        before = append(journal, msgspec.json.encode(entry))
        try:
            yield
        except OSError:
            cut(journal, before)
            raise


class StopStore:
    """The emergency bundle of a hub: the stops of its directory, signed with the hub's key and served to long polls."""

    def __init__(self, directory: Path, key: SigningKey) -> None:
        self._directory: Final = directory
        self._key: Final = key
        self.offering: Final = Offering()
        self.standing = ActiveStops()
        self.revision = ""
        """Revision of the offered bundle."""
        self.offered = 0.0
        """Monotonic time since when it is offered."""

    def open(self, unix_ns: int) -> None:
        """Offer the active stops; raise OSError if they cannot be read or stored."""
        self.offer(Stops(self._directory).renewed(unix_ns))

    def offer(self, standing: ActiveStops) -> None:
        """Offer the active stops, unless a later version is offered already."""
        if standing.seq <= self.standing.seq:
            return
        packed = emergency_bundle(standing.stops, standing.seq, self._key)
        self.standing, self.revision, self.offered = standing, packed.revision, time.monotonic()
        etag = hashlib.sha256(packed.content).hexdigest()
        self.offering.put(Offer(f'"{etag}"', packed.content))
