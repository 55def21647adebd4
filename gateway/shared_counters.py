"""Counters in one memory page that all workers of a gateway share.

Rule 1: a worker writes only its own counters and reads those of all workers, so no lock is needed.
Rule 2: a counter only increases; a restarted worker continues the counters of its number.
Rule 3: a name is mapped to its counter by a hash. Names that share a counter increase together, which costs extra work
but hides no change.
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
"""Counters of each worker: enough that two servers rarely share one, since a shared one causes extra list requests.

The system allocates memory only for counters that were incremented.
"""
_BYTES: Final = 8
_NAMES: Final = 16_384
_LARGEST: Final = 2**64 - 1


class CounterPage:
    """The counters from the view of one worker."""

    def __init__(self, memory: mmap.mmap, *, worker: int = 0) -> None:
        """Take the page and the number of the writing worker."""
        self._counters: Final = memoryview(memory).cast("Q")
        self._workers: Final = len(memory) // (SLOTS * _BYTES)
        self._worker: Final = worker
        if not 0 <= worker < self._workers:
            message = f"worker {worker} has no counters in a page for {self._workers} workers"
            raise ValueError(message)

    def increment(self, name: str) -> None:
        """Increment this worker's counter of a name, which all workers see from now on."""
        own = _slot(name) * self._workers + self._worker
        self._counters[own] = (self._counters[own] + 1) & _LARGEST

    def others(self, name: str) -> int:
        """Return the sum of the other workers' counters of a name; it changes when any of them is incremented."""
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
    """Create a page for this number of workers, all counters zero; yield its descriptor, which children inherit."""
    descriptor = _anonymous()
    try:
        os.ftruncate(descriptor, SLOTS * _BYTES * workers)
        yield descriptor
    finally:
        os.close(descriptor)


def attached(descriptor: int, worker: int) -> CounterPage:
    """Return the page behind a descriptor, as seen by the worker with this number."""
    return CounterPage(mmap.mmap(descriptor, 0), worker=worker)


def alone() -> CounterPage:
    """Return a page for a process without other workers."""
    return CounterPage(mmap.mmap(-1, SLOTS * _BYTES))


def _anonymous() -> int:
    """Return the descriptor of anonymous memory, or of an unnamed file if the system has no anonymous memory."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("mcp-admission-counters")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


@lru_cache(maxsize=_NAMES)
def _slot(name: str) -> int:
    return int.from_bytes(sha256(name.encode(errors="surrogatepass")).digest()[:4], "big") % SLOTS
