"""The file with the active stops of one gateway or of a hub.

Rule 1: a writer holds a lock and replaces the entire file, so that a reader never sees an incomplete file.
Rule 2: a file that cannot be read is an error, never an empty list: a damaged file must not lift a stop.
Rule 3: the sequence number of the document grows with every change and is never lower than the time in milliseconds, so
that a process that takes over from another one continues with a higher number.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.stops_bundle import Stop, fault
from gateway.durable_files import locked, replace

FILE: Final = "stops.json"


class ActiveStops(Struct, frozen=True, kw_only=True):
    """The stops that have not ended, and the sequence number of their document."""

    seq: int = 0
    stops: tuple[Stop, ...] = ()


_DECODER: Final = msgspec.json.Decoder(ActiveStops)


class Stops:
    """The file `stops.json` of a directory; several processes may read and change it concurrently."""

    def __init__(self, directory: Path) -> None:
        """Set the directory, which the first stop creates."""
        self._directory: Final = directory
        self.path: Final = directory / FILE

    def standing(self) -> ActiveStops:
        """Return all stops in the file, including expired ones; raise OSError if it cannot be read."""
        try:
            return _DECODER.decode(self.path.read_bytes())
        except FileNotFoundError:
            return ActiveStops()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            wrong = f"is not a valid file of stops ({error}): restore it. Removing it lifts all stops"
            raise OSError(errno.EINVAL, wrong, os.fspath(self.path)) from error

    def add(self, stop: Stop, unix_ns: int) -> ActiveStops | str:
        """Add a stop and return the active stops, or return why it may not be made."""
        wrong = fault(stop, unix_ns)
        return wrong or self._changed(lambda stops: (*stops, stop), unix_ns)

    def lift(self, stop_id: str, unix_ns: int) -> ActiveStops | None:
        """Remove a stop and return the active stops; return None if no stop has this id."""
        if all(stop.id != stop_id for stop in self.standing().stops):
            return None
        return self._changed(lambda stops: tuple(stop for stop in stops if stop.id != stop_id), unix_ns)

    def renewed(self, unix_ns: int) -> ActiveStops:
        """Remove expired stops and return the active ones under a new sequence number, before serving them."""
        return self._changed(lambda stops: stops, unix_ns)

    def _changed(self, change: Callable[[tuple[Stop, ...]], tuple[Stop, ...]], unix_ns: int) -> ActiveStops:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._directory / "stops.lock"):
            before = self.standing()
            kept = tuple(stop for stop in before.stops if stop.until_unix_ns > unix_ns)
            after = ActiveStops(seq=max(before.seq + 1, unix_ns // 1_000_000), stops=change(kept))
            replace(self.path, msgspec.json.encode(after))
        return after
