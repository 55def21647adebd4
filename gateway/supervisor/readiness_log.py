"""Log conditions that keep workers from passing calls: when they begin, change, and end.

Rule 1: they are logged even without calls: a gateway that would refuse everything reports it before the first call.
Rule 2: a worker that switches between ready and not ready is logged at most every ten seconds.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gateway.opa.process import ReportEvent
from gateway.opa.readiness_report import Readiness

EVERY_S: Final = 10.0
START_S: Final = 60.0
"""Seconds that OPA may take to start deciding before a problem is logged."""
_STARTING: Final = "running"
_OF_OPA: Final = frozenset({"opa", "opa_health", "decision", "denial", "bundle", "fresh_policy"})
_OPA: Final = "check the log lines about OPA, and whether OPA runs and has CPU and memory"
REMEDIES: Final[Mapping[str, str]] = {
    "journal": "free space for `journal.directory`, or make it readable and writable for the gateway only",
    "opa": _OPA,
    "opa_health": _OPA,
    "decision": _OPA,
    "denial": "the policy allows a call to a server that cannot exist: see what it allows without conditions",
    "bundle": "OPA has not activated its bundle: see `policy_problem` in /readyz",
    "fresh_policy": "check whether the hubs of `policy.bundle` can be reached",
    "connections": "see `listen.connections` and the limit of open files",
    "answer": "the worker does not answer and is replaced if this lasts; check whether this machine has free CPU time",
}
"""Each condition that may be missing, with its remedy."""


class _Logged:
    """The last logged state of one worker."""

    def __init__(self, now: float) -> None:
        self.kinds = frozenset[str]()
        self.began = now
        self.at = float("-inf")
        self.was_ready = False


class ReadinessLog:
    """Compares the workers' readiness with the last logged state."""

    def __init__(self, report: ReportEvent, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the log to report to, and a monotonic clock in seconds."""
        self._report: Final = report
        self._clock: Final = clock
        self._logged: Final[dict[int, _Logged]] = {}

    def look(self, found: Sequence[Readiness]) -> None:
        """Update from the readiness of each worker, in the order of their numbers."""
        for number, readiness in enumerate(found):
            self._look(number, readiness.missing)

    def _look(self, number: int, missing: Sequence[str]) -> None:
        now = self._clock()
        logged = self._logged.setdefault(number, _Logged(now))
        ready = not missing
        logged.was_ready = logged.was_ready or ready
        if not logged.was_ready and now - logged.began < START_S:
            missing = [what for what in missing if _kind(what) not in _OF_OPA]
        kinds = frozenset(_kind(what) for what in missing)
        starting = _STARTING in kinds or not (ready or kinds)
        if kinds == logged.kinds or starting or now - logged.at < EVERY_S:
            return
        logged.kinds, logged.at = kinds, now
        if kinds:
            remedies = dict.fromkeys(REMEDIES.get(kind, "see /readyz") for kind in sorted(kinds))
            self._report("worker_unready", worker=number, missing="; ".join(missing), remedy="; ".join(remedies))
        else:
            self._report("worker_ready", worker=number)


def _kind(what: str) -> str:
    """Return the name of a condition without its detail."""
    return what.partition(" ")[0]
