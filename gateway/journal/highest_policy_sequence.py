"""The highest enforced policy sequence of each environment, stored in the journal's directory (DESIGN section 5).

Rule 1: a stored value only increases, with any number of processes, and `raise_to` returns only when it is durable.
Rule 2: a file that cannot be read is an error, never a zero: a lost value would allow an old policy.
"""

import errno
import os
from pathlib import Path
from typing import Final

import msgspec

from gateway.durable_files import locked, replace
from gateway.journal.file_access import prepare_shared

FILE: Final = "highwater.json"
_LOCK: Final = "highwater.lock"
_Levels = dict[str, int]
_DECODER: Final = msgspec.json.Decoder(_Levels)


class HighwaterFile:
    """The file `highwater.json` of a directory; several processes may read and raise its values concurrently."""

    def __init__(self, directory: Path) -> None:
        """Set the journal's directory; `raise_to` creates it."""
        self._directory: Final = directory
        self._path: Final = directory / FILE

    def seen(self, environment: str) -> int:
        """Return the highest enforced sequence, 0 if there is none; raise OSError if the file cannot be read."""
        return self._levels().get(environment, 0)

    def raise_to(self, environment: str, seq: int) -> None:
        """Make `seq` the lowest sequence that may be enforced from now on; raise OSError if it cannot be stored."""
        prepare_shared(self._directory)
        with locked(self._directory / _LOCK):
            levels = self._levels()
            if seq > levels.get(environment, 0):
                replace(self._path, msgspec.json.encode(levels | {environment: seq}, order="sorted"))

    def _levels(self) -> _Levels:
        try:
            return _DECODER.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError as error:
            wrong = f"is not a valid file of sequence numbers ({error}): restore it. Removing it allows older policies"
            raise OSError(errno.EINVAL, wrong, os.fspath(self._path)) from error
