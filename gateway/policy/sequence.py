"""The sequence number of an environment's builds, stored in a file (DESIGN section 5).

Rule 1: a number is durable before it is used, and never issued twice: the file is locked during the increment.
Rule 2: a file that does not contain a number is an error. The count never restarts, because gateways refuse lower
numbers anyway.
"""

import fcntl
import os
from pathlib import Path


def next_sequence(state: Path, environment: str, *, above: int = 0) -> int:
    """Return the next number of the environment, which is more than `above`; raise ValueError for a damaged file."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = state / f"{environment}.seq"
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        text = os.read(descriptor, 64).decode("ascii", "replace").strip()
        if text and not text.isdecimal():
            raise ValueError(f"{place} does not contain a number: restore it, or remove it and raise `above`")
        number = max(int(text or 0), above) + 1
        os.pwrite(descriptor, f"{number:020d}\n".encode(), 0)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    return number
