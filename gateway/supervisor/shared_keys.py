"""The keys that all workers share: the sealing ring and the key of the journal's digests.

Rule 1: a key is read whole or it is a problem that says which file and what to do; a wrong one is never replaced.
Rule 2: a key that is not there yet is made once, readable by its owner only, even when two gateways start together.
Rule 3: keys reach workers over the control channel, never by command line or environment.
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
    """What workers seal and digest with; the first sealing key seals, every one opens."""

    sealing: tuple[bytes, ...]
    digest: bytes


class KeyProblem(Struct, frozen=True):
    """Why there are no keys."""

    message: str


def read_keys(sealing: Path, journal: Path) -> Keys | KeyProblem:
    """Return the keys in `sealing` (files `current` and `previous`) and beside the journal, made where missing."""
    try:
        current = _read_or_make(sealing / CURRENT, SEALING_BYTES)
        previous = _read(sealing / PREVIOUS, SEALING_BYTES)
        digest = _read_or_make(journal / DIGEST, DIGEST_BYTES)
    except OSError as error:
        return KeyProblem(f"{error.filename}: {error.strerror}. Make the directory readable and writable for me.")
    for key in (current, previous, digest):
        if isinstance(key, KeyProblem):
            return key
    ring = tuple(key for key in (current, previous) if isinstance(key, bytes))
    return Keys(ring, digest) if isinstance(digest, bytes) else KeyProblem("there is no key for the journal")


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
    """Return a new key, or the one of whoever was faster; it appears complete or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        create(path, secrets.token_bytes(size))
    return _read(path, size)
