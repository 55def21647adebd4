"""The sequence number of an environment's builds, kept in a file (DESIGN section 5).

Rule 1: a number is durable before it is used, and never given twice: the file is locked while it is raised.
Rule 2: a file that cannot be read as a number is refused, never started anew: going back would be refused later anyway.
"""

import fcntl
import os
from pathlib import Path


def next_sequence(state: Path, environment: str, *, above: int = 0) -> int:
    """One more than the last number given for the environment, and more than `above`; ValueError on a damaged file."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = state / f"{environment}.seq"
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        text = os.read(descriptor, 64).decode("ascii", "replace").strip()
        if text and not text.isdecimal():
            raise ValueError(f"{place} does not hold a number: restore it, or remove it and raise `above`")
        number = max(int(text or 0), above) + 1
        os.pwrite(descriptor, f"{number:020d}\n".encode(), 0)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    return number
