"""File descriptors of this process: the limit is raised at the start, and connections are limited by what is left.

Rule 1: a process never runs out of descriptors because of its clients: some are kept for files and upstreams.
"""

import os
import resource
from typing import Final

MOST: Final = 1 << 16
"""Descriptors that one process uses at most; some programs get slow by a limit of a billion."""
_RESERVED: Final = 128
"""Kept for the journal, OPA, logs and listeners."""
_MOST_CONNECTIONS: Final = 8192


def raise_limit() -> int:
    """Raise the soft limit to the hard one as far as it is useful; return the soft limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # some systems allow less than they report
        return soft
    return wanted


def connections_for(descriptors: int) -> int:
    """Return how many client connections fit: each may need a second descriptor for its upstream."""
    return max(16, min(_MOST_CONNECTIONS, (descriptors - _RESERVED) // 2))


def exhausted() -> str:
    """Return why no descriptor can be opened; empty if one can."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or str(error)
    return ""
