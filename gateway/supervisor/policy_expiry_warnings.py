"""Warn before the policy expires or becomes too stale, and when its library is too old.

Rule 1: the warnings depend on the revision that the workers enforce, not on the one that was offered to them.
Rule 2: each step is reported once in the log, a metric and the journal, and is shown in `/readyz` while it lasts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from gateway.opa.readiness_report import Readiness, Staleness
from gateway.supervisor.event_log import LogNote

_DAY_S: Final = 86_400
WARNED_DAYS: Final = (3, 14)
"""Days before the expiry at which the gateway warns."""

Ending = Literal["far", "14 days", "3 days", "over"]
_RANK: Final[Mapping[Staleness, int]] = {"fresh": 0, "soft": 1, "hard": 2}


class ExpiryWarnings:
    """Watches the readiness of the workers."""

    def __init__(self, note: LogNote, wall_s: Callable[[], float] = time.time) -> None:
        self._note: Final = note
        self._wall_s: Final = wall_s
        self._told: tuple[str, Ending] = ("", "far")
        self._staleness: Staleness = "fresh"
        self._outdated: str = ""
        self._notes: Mapping[str, str] = {}

    def notes(self) -> Mapping[str, str]:
        """Return the warnings that need an operator's attention."""
        return self._notes

    def look(self, found: Sequence[Readiness]) -> None:
        """Update the warnings from the workers' current readiness."""
        notes: dict[str, str] = {}
        if ends := [one for one in found if _unix_s(one.not_after) is not None]:
            notes |= self._ending(min(ends, key=lambda one: _unix_s(one.not_after) or 0))
        if found:
            notes |= self._stale(max(found, key=lambda one: _RANK[one.staleness]))
        if outdated := [one for one in found if one.library_problem]:
            notes |= self._of_library(outdated[0])
        self._notes = notes

    def _of_library(self, one: Readiness) -> Mapping[str, str]:
        if one.revision != self._outdated:
            self._outdated = one.revision
            self._note("library_outdated", revision=one.revision, detail=one.library_problem)
        return {"policy_library": one.library_problem}

    def _ending(self, one: Readiness) -> Mapping[str, str]:
        left_s = (_unix_s(one.not_after) or 0) - self._wall_s()
        ending = _ending(left_s)
        said = f"the policy expires at {one.not_after}"
        if (one.revision, ending) != self._told:
            self._told = (one.revision, ending)
            if ending == "over":
                self._note("expired", code="policy_expired", revision=one.revision, detail=said)
            elif ending != "far":
                self._note("expires_soon", revision=one.revision, detail=f"{said}, in less than {ending}")
        if ending == "far":
            return {}
        return {"policy_end": f"{said}: publish it again, or a newer one, before all calls are refused"}

    def _stale(self, one: Readiness) -> Mapping[str, str]:
        before, self._staleness = self._staleness, one.staleness
        said = f"the policy was last confirmed {one.policy_age_s:.0f} s ago"
        if before != one.staleness:
            event = {"fresh": "fresh", "soft": "stale_soon", "hard": "stale"}[one.staleness]
            code = "policy_stale" if one.staleness == "hard" else ""
            self._note(event, code=code, revision=one.revision, detail=said)
        return {} if one.staleness == "fresh" else {"policy_staleness": f"{said}: check that its hub is reachable"}


def _ending(left_s: float) -> Ending:
    if left_s <= 0:
        return "over"
    if left_s <= WARNED_DAYS[0] * _DAY_S:
        return "3 days"
    return "14 days" if left_s <= WARNED_DAYS[1] * _DAY_S else "far"


def _unix_s(rfc3339: str) -> float | None:
    try:
        return datetime.fromisoformat(rfc3339).timestamp()
    except ValueError:
        return None
