"""The keys that all workers share: the sealing keys and the key of the journal's digests.

Rule 1: a key is read completely, or the problem names the file and the remedy. An invalid key is never replaced.
Rule 2: a missing key is created once, readable by its owner only, even if two gateways start at the same time.
Rule 3: workers receive keys over the control channel, never by command line or environment.
"""

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.durable_files import create

SEALING_BYTES: Final = 64
DIGEST_BYTES: Final = 32
CURRENT: Final = "current"
PREVIOUS: Final = "previous"
DIGEST: Final = "digest.key"


class Keys(Struct, frozen=True):
    """The workers' keys: the first sealing key seals, and each of them opens."""

    sealing: tuple[bytes, ...]
    digest: bytes


class KeyProblem(Struct, frozen=True):
    """The reason why the keys cannot be used."""

    message: str


def read_keys(sealing: Path, journal: Path) -> Keys | KeyProblem:
    """Return the keys in `sealing` (`current` and `previous`) and in the journal; create missing ones."""
    try:
        current = _read_or_make(sealing / CURRENT, SEALING_BYTES)
        previous = _read(sealing / PREVIOUS, SEALING_BYTES)
        digest = _read_or_make(journal / DIGEST, DIGEST_BYTES)
    except OSError as error:
        return KeyProblem(f"{error.filename}: {error.strerror}. Make the directory readable and writable by this user.")
    for key in (current, previous, digest):
        if isinstance(key, KeyProblem):
            return key
    ring = tuple(key for key in (current, previous) if isinstance(key, bytes))
    return Keys(ring, digest) if isinstance(digest, bytes) else KeyProblem("the journal's digest key is missing")


def _read_or_make(path: Path, size: int) -> bytes | KeyProblem | None:
    found = _read(path, size)
    return found if found is not None else _make(path, size)


def _read(path: Path, size: int) -> bytes | KeyProblem | None:
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(key) != size:
        advice = f"Restore it, or write {size} random bytes into it: head -c {size} /dev/urandom > {path}"
        return KeyProblem(f"{path}: this key has {len(key)} bytes instead of {size}. {advice}")
    return key


def _make(path: Path, size: int) -> bytes | KeyProblem | None:
    """Return a new key, or the key of a gateway that was faster; the file appears complete or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        create(path, secrets.token_bytes(size))
    return _read(path, size)
