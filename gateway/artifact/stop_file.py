"""The stops that stand in one place, kept in a file: a gateway's own, or those of a hub.

Rule 1: whoever writes holds a lock and replaces the whole file, so that a reader never sees half of it.
Rule 2: a file that cannot be read is an error, never an empty list: a stop must not be lifted by damage.
Rule 3: the sequence number of the document grows with every change and is never below the time in milliseconds: whoever
takes over from another place goes on above it.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.emergency_bundle import Stop, fault
from gateway.durable_files import locked, replace

FILE: Final = "stops.json"


class ActiveStops(Struct, frozen=True, kw_only=True):
    """The stops that have not ended, and the sequence number of their document."""

    seq: int = 0
    stops: tuple[Stop, ...] = ()


_DECODER: Final = msgspec.json.Decoder(ActiveStops)


class Stops:
    """Reads and changes the file `stops.json` of a directory; several processes may do so at once."""

    def __init__(self, directory: Path) -> None:
        """Take the directory; it is made when something is stopped."""
        self._directory: Final = directory
        self.path: Final = directory / FILE

    def standing(self) -> ActiveStops:
        """Return what the file says, those that have ended included; raises OSError where it cannot be read."""
        try:
            return _DECODER.decode(self.path.read_bytes())
        except FileNotFoundError:
            return ActiveStops()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            wrong = f"does not hold stops ({error}): restore it; removing it lifts them all"
            raise OSError(errno.EINVAL, wrong, os.fspath(self.path)) from error

    def add(self, stop: Stop, unix_ns: int) -> ActiveStops | str:
        """Return what stands once this stop does, or why it may not be made."""
        wrong = fault(stop, unix_ns)
        return wrong or self._changed(lambda stops: (*stops, stop), unix_ns)

    def lift(self, stop_id: str, unix_ns: int) -> ActiveStops | None:
        """Return what stands without this stop; None where there is none of this id."""
        if all(stop.id != stop_id for stop in self.standing().stops):
            return None
        return self._changed(lambda stops: tuple(stop for stop in stops if stop.id != stop_id), unix_ns)

    def renewed(self, unix_ns: int) -> ActiveStops:
        """Return what stands, without what has ended, under a new number: for whoever begins to serve it."""
        return self._changed(lambda stops: stops, unix_ns)

    def _changed(self, change: Callable[[tuple[Stop, ...]], tuple[Stop, ...]], unix_ns: int) -> ActiveStops:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._directory / "stops.lock"):
            before = self.standing()
            kept = tuple(stop for stop in before.stops if stop.until_unix_ns > unix_ns)
            after = ActiveStops(seq=max(before.seq + 1, unix_ns // 1_000_000), stops=change(kept))
            replace(self.path, msgspec.json.encode(after))
        return after
