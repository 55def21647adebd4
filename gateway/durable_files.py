"""Files that are replaced or created whole, and locks on files.

Rule 1: a call that returned is durable, the name in the directory included. A call that failed changed nothing, unless
only the sync of the directory failed: then the new content is in place, and a power failure may undo it.
Rule 2: a reader sees the old content or the new content, never a part.
"""

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def replace(path: Path, content: bytes, *, mode: int | None = 0o600) -> None:
    """Replace a file, or create it, with these permissions less the umask; None keeps those it has. Raises OSError."""
    kept = path.stat().st_mode & 0o777 if mode is None else None
    scratch = _scratch(path, content, mode or 0o600, kept)
    try:
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def create(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Create a file that does not exist. Raises FileExistsError if it does, and OSError."""
    scratch = _scratch(path, content, mode)
    try:
        path.hardlink_to(scratch)
    finally:
        scratch.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the exclusive lock of a lock file while the block runs, among threads and processes. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _scratch(path: Path, content: bytes, mode: int, kept: int | None = None) -> Path:
    """Write the content durably to a hidden file in the same directory, and return its path."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(scratch, _NEW, mode), "wb") as file:
            file.write(content)
            file.flush()
            if kept is not None:
                os.fchmod(file.fileno(), kept)
            os.fsync(file.fileno())
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
    return scratch
