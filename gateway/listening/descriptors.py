"""File descriptors of this process: the limit is raised at the start, and connections are limited accordingly.

Rule 1: clients can never exhaust the descriptors of a process; some are reserved for files and upstreams.
"""

import os
import resource
from typing import Final

MOST: Final = 1 << 16
"""Maximum descriptors of one process; some programs become slow with a limit of a billion."""
_RESERVED: Final = 128
"""Reserved for the journal, OPA, logs and listeners."""
_MOST_CONNECTIONS: Final = 8192


def raise_limit() -> int:
    """Raise the soft limit to the hard limit, up to `MOST`; return the resulting soft limit."""
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
    """Return the number of client connections that fit; each may need a second descriptor for its upstream."""
    return max(16, min(_MOST_CONNECTIONS, (descriptors - _RESERVED) // 2))


def exhausted() -> str:
    """Return the reason why no descriptor can be opened; empty if one can."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or str(error)
    return ""
