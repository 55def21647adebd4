"""Warnings are logged in time, once each, and end with their cause."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.artifact.manifest import rfc3339
from gateway.opa.readiness_report import Readiness, Staleness
from gateway.supervisor.policy_expiry_warnings import ExpiryWarnings

NOW = 1_800_000_000.0
DAY = 86_400


class Bed:
    def __init__(self) -> None:
        self.noted: list[tuple[str, dict[str, Any]]] = []
        self.now = NOW
        self.outlook = ExpiryWarnings(self.note, lambda: self.now)

    def note(self, event: str, /, **fields: Any) -> None:
        self.noted.append((event, fields))

    def look(self, end: str = "", staleness: Staleness = "fresh", revision: str = "dev@aaaaaaaaaaaa.1") -> list[str]:
        """Return the events that one update causes."""
        before = len(self.noted)
        one = Readiness(missing=(), revision=revision, not_after=end, staleness=staleness, policy_age_s=7)
        self.outlook.look([one, Readiness(missing=(), revision=revision)])
        return [event for event, _ in self.noted[before:]]


def test_expiry_of_a_policy_is_logged_14_and_3_days_before_and_at_the_end() -> None:
    bed, end = Bed(), rfc3339(NOW + 90 * DAY)
    for day, wanted in [(0, []), (75, []), (77, ["expires_soon"]), (80, []), (88, ["expires_soon"]), (91, ["expired"])]:
        bed.now = NOW + day * DAY
        assert bed.look(end) == wanted, day
        assert ("policy_end" in bed.outlook.notes()) == (day >= 77)
    assert bed.noted[-1][1]["code"] == "policy_expired"
    assert bed.look(rfc3339(NOW + 181 * DAY), revision="dev@aaaaaaaaaaaa.2") == []
    assert bed.outlook.notes() == {}


@pytest.mark.parametrize("end", ["", "soon"])
def test_a_policy_without_an_end_is_never_warned_of(end: str) -> None:
    bed = Bed()
    assert bed.look(end) == []
    assert bed.outlook.notes() == {}


def test_staleness_is_logged_at_each_step_and_at_its_end() -> None:
    bed = Bed()
    steps: list[Staleness] = ["fresh", "soft", "soft", "hard", "fresh"]
    assert [bed.look(staleness=step) for step in steps] == [[], ["stale_soon"], [], ["stale"], ["fresh"]]
    assert bed.noted[1][1]["code"] == "policy_stale"
    bed.look(staleness="soft")
    assert "7 s ago" in bed.outlook.notes()["policy_staleness"]


def test_workers_that_say_nothing_are_no_news() -> None:
    bed = Bed()
    bed.outlook.look([])
    assert bed.noted == []


def test_an_outdated_library_is_logged_once_per_revision_and_shown_in_the_notes() -> None:
    bed = Bed()
    old = Readiness(missing=(), revision="dev@aaaaaaaaaaaa.1", library_problem="it takes unknown claims for none")
    for _ in range(2):
        bed.outlook.look([Readiness(missing=()), old])
        assert bed.outlook.notes() == {"policy_library": "it takes unknown claims for none"}
    bed.outlook.look([replace(old, revision="dev@aaaaaaaaaaaa.2")])
    assert [event for event, _ in bed.noted] == ["library_outdated", "library_outdated"]
    assert bed.noted[0][1] == {"revision": "dev@aaaaaaaaaaaa.1", "detail": "it takes unknown claims for none"}
    bed.outlook.look([replace(old, library_problem="")])
    assert bed.outlook.notes() == {}
