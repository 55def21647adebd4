"""Stops that stand in a directory: made and lifted with a journal of who did it, and served as the emergency bundle.

Rule 1: what is stopped or lifted is in `stops.jsonl` before it takes effect.
Rule 2: a bundle with a lower sequence number never replaces one with a higher, whichever was made first.
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

from gateway.artifact.emergency_bundle import Kind, Stop, emergency_bundle, fault, indexed
from gateway.artifact.signing import SigningKey
from gateway.artifact.stop_file import ActiveStops, Stops
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
    """A stop with a new id, not made yet, of what all of `chosen` select; `about`: by whom, and the wall time in ns."""
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
    """What stands once this stop does, or why it may not be made; OSError leaves everything as it was."""
    wrong = fault(stop, unix_ns)
    if wrong:
        return wrong
    entry = StopEntry(time=instant(unix_ns), action="stop", stop=stop, by=stop.by, because=stop.because)
    with _journaled(directory, entry):
        return Stops(directory).add(stop, unix_ns)


def lifted(directory: Path, stop_id: str, *, by: str, because: str, unix_ns: int) -> ActiveStops | None:
    """What stands without this stop; None where there is none of this id; OSError leaves everything as it was."""
    stop = next((each for each in Stops(directory).standing().stops if each.id == stop_id), None)
    if stop is None:
        return None
    entry = StopEntry(time=instant(unix_ns), action="lift", stop=stop, by=by, because=because)
    with _journaled(directory, entry):
        return Stops(directory).lift(stop_id, unix_ns)


@contextmanager
def _journaled(directory: Path, entry: StopEntry) -> Generator[None]:
    """An entry in the journal while the block makes it true; taken back where the block fails."""
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
    """The emergency bundle of a hub: the stops of its directory, signed with its own key, for who waits for them."""

    def __init__(self, directory: Path, key: SigningKey) -> None:
        self._directory: Final = directory
        self._key: Final = key
        self.offering: Final = Offering()
        self.standing = ActiveStops()
        self.revision = ""
        """Of the bundle that is offered."""
        self.offered = 0.0
        """Since when, in monotonic seconds."""

    def open(self, unix_ns: int) -> None:
        """Offer what stands; raises OSError where that cannot be known or kept."""
        self.offer(Stops(self._directory).renewed(unix_ns))

    def offer(self, standing: ActiveStops) -> None:
        """Offer what stands, unless something later is offered already."""
        if standing.seq <= self.standing.seq:
            return
        packed = emergency_bundle(standing.stops, standing.seq, self._key)
        self.standing, self.revision, self.offered = standing, packed.revision, time.monotonic()
        etag = hashlib.sha256(packed.content).hexdigest()
        self.offering.put(Offer(f'"{etag}"', packed.content))
