"""Counters in one page of memory that all workers of a gateway share.

Rule 1: a worker writes its own counters only and reads those of all workers, so no lock is needed.
Rule 2: a counter only rises; a worker that is started again continues the counters of its number.
Rule 3: a name finds its counter by a hash. Names that share a counter rise together: that costs work and hides nothing.
"""

import mmap
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from typing import Final

SLOTS: Final = 2**20
"""Counters of each worker; so many that hardly any two servers share one, as each could make all others list again.

The system gives memory to those that were raised only.
"""
_BYTES: Final = 8
_NAMES: Final = 16_384
_LARGEST: Final = 2**64 - 1


class CounterPage:
    """The counters as one worker sees them."""

    def __init__(self, memory: mmap.mmap, *, worker: int = 0) -> None:
        """Take the page, and the number of the worker that writes."""
        self._counters: Final = memoryview(memory).cast("Q")
        self._workers: Final = len(memory) // (SLOTS * _BYTES)
        self._worker: Final = worker
        if not 0 <= worker < self._workers:
            message = f"worker {worker} has no counters in a page for {self._workers} workers"
            raise ValueError(message)

    def increment(self, name: str) -> None:
        """Raise this worker's counter of a name: every worker sees it from now on."""
        own = _slot(name) * self._workers + self._worker
        self._counters[own] = (self._counters[own] + 1) & _LARGEST

    def others(self, name: str) -> int:
        """Return the sum of the other workers' counters of a name: it differs after any of them was raised."""
        if self._workers == 1:
            return 0
        first = _slot(name) * self._workers
        return sum(self._counters[first : first + self._workers]) - self._counters[first + self._worker]

    def total(self, name: str) -> int:
        """Return the sum of all workers' counters of a name."""
        first = _slot(name) * self._workers
        return sum(self._counters[first : first + self._workers])


@contextmanager
def created(workers: int) -> Generator[int]:
    """Make a page for so many workers, all counters zero, and yield its descriptor, which child processes inherit."""
    descriptor = _anonymous()
    try:
        os.ftruncate(descriptor, SLOTS * _BYTES * workers)
        yield descriptor
    finally:
        os.close(descriptor)


def attached(descriptor: int, worker: int) -> CounterPage:
    """Return the page behind a descriptor, as the worker of this number sees it."""
    return CounterPage(mmap.mmap(descriptor, 0), worker=worker)


def alone() -> CounterPage:
    """Return a page of a process that has no other workers beside it."""
    return CounterPage(mmap.mmap(-1, SLOTS * _BYTES))


def _anonymous() -> int:
    """Return the descriptor of memory without a name, or of a file without a name if the system has no such memory."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("mcp-admission-counters")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


@lru_cache(maxsize=_NAMES)
def _slot(name: str) -> int:
    return int.from_bytes(sha256(name.encode(errors="surrogatepass")).digest()[:4], "big") % SLOTS
