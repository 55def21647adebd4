"""The highest sequence of each environment's policy that was ever enforced, kept beside the journal (DESIGN section 5).

Rule 1: what is kept only rises, whichever process raises it, and a raise has returned only when it is durable.
Rule 2: a file that cannot be read is an error, never a zero: a forgotten high water would let an old policy in.
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
    """Reads and raises the levels in one directory; several processes may do so at once."""

    def __init__(self, directory: Path) -> None:
        """Take the journal's directory; it is made when something is raised."""
        self._directory: Final = directory
        self._path: Final = directory / FILE

    def seen(self, environment: str) -> int:
        """Return the highest sequence enforced, 0 where none was; raises OSError where that cannot be known."""
        return self._levels().get(environment, 0)

    def raise_to(self, environment: str, seq: int) -> None:
        """Make `seq` the least that may be enforced from now on; raises OSError where that cannot be kept."""
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
            wrong = f"does not hold the highest revisions ({error}): restore it; removing it lets older policies in"
            raise OSError(errno.EINVAL, wrong, os.fspath(self._path)) from error
