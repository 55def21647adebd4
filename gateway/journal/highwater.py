"""The highest sequence of each environment's policy that was ever enforced, kept beside the journal (DESIGN section 5).

Rule 1: what is kept only rises, whichever process raises it, and a raise has returned only when it is durable.
Rule 2: a file that cannot be read is an error, never a zero: a forgotten high water would let an old policy in.
"""

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from gateway.journal.file_access import prepare_shared
from gateway.journal.storage import sync_directory

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
        with self._locked():
            levels = self._levels()
            if seq > levels.get(environment, 0):
                self._replace(levels | {environment: seq})

    def _levels(self) -> _Levels:
        try:
            return _DECODER.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError as error:
            wrong = f"does not hold the highest revisions ({error}): restore it; removing it lets older policies in"
            raise OSError(errno.EINVAL, wrong, os.fspath(self._path)) from error

    def _replace(self, levels: _Levels) -> None:
        """Put a complete new file in the place of the old one."""
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(levels, order="sorted"))
            file.flush()
            os.fsync(descriptor)
        fresh.replace(self._path)
        sync_directory(self._directory)

    @contextmanager
    def _locked(self) -> Generator[None]:
        descriptor = os.open(self._directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
