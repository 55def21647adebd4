"""The last good bundle on disk, for a start while its service is unreachable, with the time of its last confirmation.

Rule 1: a stored bundle is not trusted: it is verified again before it is used.
Rule 2: a file appears completely or not at all. A file that cannot be read counts as absent and is never used in part.
"""

import hashlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.durable_files import replace


class LastGood(Struct, frozen=True, kw_only=True):
    """A bundle that was accepted once; `confirmed_ns` is 0 if the time of its confirmation is unknown."""

    content: bytes
    confirmed_ns: int


class _Note(Struct):
    digest: str
    confirmed_ns: int


class LastGoodStore:
    """Storage of one bundle in a directory, under a name."""

    def __init__(self, directory: Path, name: str) -> None:
        """Set the directory and the name; `keep` creates the directory."""
        self._bundle: Final = directory / f"{name}.tar.gz"
        self._note: Final = directory / f"{name}.json"

    def keep(self, content: bytes, unix_ns: int) -> None:
        """Replace the stored bundle with this one, confirmed now; raise OSError if it cannot be written."""
        self._bundle.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(self._bundle, content)
        self._confirm(hashlib.sha256(content).hexdigest(), unix_ns)

    def confirm(self, digest: str, unix_ns: int) -> None:
        """Store the time at which the bundle of this digest was confirmed; raise OSError if that fails."""
        self._confirm(digest, unix_ns)

    def kept(self) -> LastGood | None:
        """Return the stored bundle, or None if it is absent or unreadable."""
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
