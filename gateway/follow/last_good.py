"""The last good bundle, kept on disk for a start while its service is away, with the time when it was confirmed last.

Rule 1: what is read back is bytes like any others: it is judged again before it is used.
Rule 2: a file appears complete or not at all; what cannot be read is as if it were not there, never half of it.
"""

import hashlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.durable_files import replace


class LastGood(Struct, frozen=True, kw_only=True):
    """A bundle that was good once; `confirmed_ns` is 0 where nobody knows when."""

    content: bytes
    confirmed_ns: int


class _Note(Struct):
    digest: str
    confirmed_ns: int


class LastGoodStore:
    """Keeps one bundle in a directory, under a name."""

    def __init__(self, directory: Path, name: str) -> None:
        """Take where; the directory is made when something is kept."""
        self._bundle: Final = directory / f"{name}.tar.gz"
        self._note: Final = directory / f"{name}.json"

    def keep(self, content: bytes, unix_ns: int) -> None:
        """Keep this bundle, confirmed now, in the place of another; raises OSError."""
        self._bundle.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(self._bundle, content)
        self._confirm(hashlib.sha256(content).hexdigest(), unix_ns)

    def confirm(self, digest: str, unix_ns: int) -> None:
        """Note that the bundle of this digest was confirmed at that time; raises OSError."""
        self._confirm(digest, unix_ns)

    def kept(self) -> LastGood | None:
        """What is kept; None where there is nothing that can be read."""
        try:
            content = self._bundle.read_bytes()
        except OSError:
            return None
        return LastGood(content=content, confirmed_ns=self._confirmed(hashlib.sha256(content).hexdigest()))

    def _confirmed(self, digest: str) -> int:
        try:
            note = msgspec.json.decode(self._note.read_bytes(), type=_Note)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return 0
        return note.confirmed_ns if note.digest == digest else 0

    def _confirm(self, digest: str, unix_ns: int) -> None:
        replace(self._note, msgspec.json.encode(_Note(digest, unix_ns)))
