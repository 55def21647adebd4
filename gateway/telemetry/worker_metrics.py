"""Counters of a worker's activity: plain integers, with no allocation per call except a tuple.

Rule 1: labels come from closed sets: names that policy, catalog and this program chose. A name in another form, or one
that arrives when a set is full, becomes `other`: no client can make a label or make the numbers grow without bound.
"""

import os
import re
from bisect import bisect_left
from pathlib import Path
from typing import Final

from gateway.admission.refused_definition import RefusedDefinition
from gateway.telemetry.metric_samples import BOUNDS_US, Gauges, LatencyHistogram, Samples
from gateway.telemetry.refusal_log import RefusalLog

OTHER: Final = "other"
CAPACITY: Final = 2_000
"""Most label combinations of one metric."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_STATM: Final = Path("/proc/self/statm")


class Telemetry:
    """A worker's measures; not to be shared between threads."""

    def __init__(self, capacity: int = CAPACITY, *, refusals: RefusalLog | None = None) -> None:
        self._capacity = capacity
        self._refusals = refusals
        self._decisions: dict[tuple[str, str, str], int] = {}
        self._upstream: dict[str, int] = {}
        self._refused: dict[str, int] = {}
        self._withheld: dict[str, int] = {}
        self._unchecked: dict[str, int] = {}
        self._changed_instructions: dict[str, int] = {}
        self._decision = Buckets()
        self._added = Buckets()
        self._streams = 0

    def decided(
        self, *, outcome: str, requirement: str, policy_micros: int, added_micros: int, server: str = ""
    ) -> None:
        """Count a decided message; `requirement` is the first that refused, `server` one of the catalog's, or empty."""
        key = (outcome, requirement, server)
        if key in self._decisions:
            self._decisions[key] += 1
        else:
            self._new_decision(key)
        self._decision.add(policy_micros)
        self._added.add(added_micros)

    def upstream(self, outcome: str) -> None:
        """Count an exchange with an upstream by its outcome."""
        self._count(self._upstream, outcome)

    def withheld(self, server: str, count: int) -> None:
        """Count messages of a catalog server that are not valid messages for their client."""
        self._count(self._withheld, server, count)

    def malformed(self, fault: str) -> None:
        """Count a request that was refused before it was decided."""
        self._count(self._refused, fault)

    def refused(self, code: str, *, detail: str, server: str = "") -> None:
        """Count a refused message; `server` is one of the catalog's, or empty."""
        if self._refusals is not None:
            self._refusals.at_edge(code, detail, server)

    def drifted(self, refused: RefusedDefinition) -> None:
        """Count a call that was refused because the definition of its target is not the reviewed one."""
        if self._refusals is not None:
            self._refusals.drifted(refused)

    def unchecked(self, server: str) -> None:
        """Count a call that was judged by a schema with keywords that are not checked."""
        self._count(self._unchecked, server)

    def changed_instructions(self, removed: RefusedDefinition) -> None:
        """Count a result in which a catalog server gave instructions other than the pinned ones."""
        self._count(self._changed_instructions, removed.server)
        if self._refusals is not None:
            self._refusals.instructions(removed)

    def streams(self, count: int) -> None:
        """Set the number of open streams."""
        self._streams = count

    def samples(self, gauges: Gauges | None = None) -> Samples:
        """Return the current measures, with the values of other modules."""
        return Samples(
            decisions=[(*key, count) for key, count in self._decisions.items()],
            upstream=dict(self._upstream),
            refused=dict(self._refused),
            withheld=dict(self._withheld),
            unchecked=dict(self._unchecked),
            changed_instructions=dict(self._changed_instructions),
            decision=self._decision.latency(),
            added=self._added.latency(),
            streams=self._streams,
            resident_bytes=resident_bytes(),
            gauges=gauges or Gauges(),
        )

    def _new_decision(self, key: tuple[str, str, str]) -> None:
        full = len(self._decisions) >= self._capacity
        outcome, requirement, server = (OTHER if part and (full or not _NAME.fullmatch(part)) else part for part in key)
        key = (outcome, requirement, server)
        self._decisions[key] = self._decisions.get(key, 0) + 1

    def _count(self, counts: dict[str, int], name: str, more: int = 1) -> None:
        if name not in counts and (len(counts) >= self._capacity or not _NAME.fullmatch(name)):
            name = OTHER
        counts[name] = counts.get(name, 0) + more


class Buckets:
    """A histogram of microseconds over BOUNDS_US."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_US) + 1)
        self._total = 0

    def add(self, micros: int) -> None:
        """Add one observation."""
        self._counts[bisect_left(BOUNDS_US, micros)] += 1
        self._total += micros

    def latency(self) -> LatencyHistogram:
        """Return the counts so far."""
        return LatencyHistogram(list(self._counts), self._total)


def resident_bytes() -> int:
    """Return the memory that this process uses; 0 if the system does not report it."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")
