"""Months in which nobody changes a rule end in no denial: the real defaults against the cron of the workflow."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from gateway.artifact.manifest import rfc3339
from gateway.cli.bundle.build import DAYS
from gateway.cli.bundle.rollback import LIFETIME_S
from gateway.follow.bundle_polling import patience
from gateway.follow.follower import LONGEST_PAUSE_S
from gateway.opa.readiness_report import Readiness
from gateway.settings import Settings, load
from gateway.supervisor.policy_expiry_warnings import WARNED_DAYS, ExpiryWarnings
from tests.unit.test_policy_script import SCRIPT
from tests.unit.test_policy_workflow import OWN, WRITTEN, workflow

BEGIN: Final = datetime(2026, 11, 28, tzinfo=UTC)
DAY_S: Final = 86_400
PLACES: Final = pytest.mark.parametrize("place", [WRITTEN, OWN], ids=["init", "own"])


def published(place: Path, days: int) -> Iterator[float]:
    """When the schedule publishes in so many days, in seconds since 1970."""
    (entry,) = workflow(place)["on"]["schedule"]
    told = re.fullmatch(r"(\d+) (\d+) \* \* ([0-6])", entry["cron"])
    assert told is not None, "once a week, on one day, at one time"
    minute, hour, weekday = (int(text) for text in told.groups())
    for number in range(days):
        day = BEGIN + timedelta(days=number)
        if day.isoweekday() % 7 == weekday:
            yield day.replace(hour=hour, minute=minute).timestamp()


class Months:
    """A gateway that takes what is published, through months that pass hour by hour."""

    def __init__(self) -> None:
        self.now = BEGIN.timestamp()
        self.told: list[tuple[str, float]] = []
        self._outlook = ExpiryWarnings(self._note, lambda: self.now)

    def _note(self, event: str, /, **_: object) -> None:
        self.told.append((event, self.now))

    def pass_by(self, days: int, publications: list[float]) -> None:
        """Live so long, with a bundle from the first day and those that are published."""
        builds = [self.now, *publications]
        for hour in range(days * 24):
            self.now = BEGIN.timestamp() + hour * 3600
            built = max(moment for moment in builds if moment <= self.now)
            end = rfc3339(built + DAYS * DAY_S)
            self._outlook.look([Readiness(missing=(), revision=f"production@0.{built:.0f}", not_after=end)])


@PLACES
def test_a_year_without_a_change_brings_no_warning(place: Path) -> None:
    months = Months()
    months.pass_by(365, list(published(place, 365)))
    assert months.told == []


@PLACES
def test_nor_does_a_month_in_which_every_scheduled_run_fails(place: Path) -> None:
    runs = list(published(place, 365))
    months = Months()
    months.pass_by(365, [run for number, run in enumerate(runs) if number % 6 == 0])
    assert months.told == []


@PLACES
def test_whoever_reads_the_first_warning_has_two_scheduled_runs_left_and_after_the_second_time_to_run_it_by_hand(
    place: Path,
) -> None:
    months = Months()
    months.pass_by(120, [])
    assert [event for event, _ in months.told] == ["expires_soon", "expires_soon", "expired"]
    first, second, end = (moment for _, moment in months.told)
    assert len([run for run in published(place, 120) if first < run < end]) == 2
    assert end - second >= 2 * DAY_S
    assert (end - first, end - second) == (WARNED_DAYS[1] * DAY_S, WARNED_DAYS[0] * DAY_S)


def test_a_rollback_and_what_the_script_builds_last_ninety_days() -> None:
    assert "--not-after" not in SCRIPT.read_text(encoding="utf-8")
    assert DAYS * DAY_S == LIFETIME_S == 90 * DAY_S


def test_a_quiet_hub_confirms_the_policy_hundreds_of_times_before_it_is_stale() -> None:
    settings = load(WRITTEN.parents[2] / "settings.production.yaml", {})
    assert isinstance(settings, Settings)
    assert settings.opa.soft_s is not None
    assert (settings.opa.stale_hard_s, settings.opa.soft_s) == (DAY_S, DAY_S / 2), "a warning at half of the limit"
    given = patience(settings.opa.stale_hard_s)
    longest_s = given.wait_s + given.answer_s + LONGEST_PAUSE_S
    assert 500 * longest_s < settings.opa.soft_s, "no publication is needed for that"
