"""State of the hubs: when the policy counts as confirmed, which hubs are unreachable, and whose clock is wrong."""

from pathlib import Path
from typing import Any

import pytest

from gateway.artifact.rejection import Rejected
from gateway.artifact.stop_file import Stops
from gateway.follow.bundle_endpoint import BundleEndpoint
from gateway.follow.bundle_endpoint_server import BundleServiceAddress
from gateway.follow.follower import BundleConfirmed, BundleRefused, Passed, Reached, Unreached
from gateway.journal.highest_policy_sequence import HighwaterFile
from gateway.supervisor.bundle_followers import BundleFollowers
from gateway.supervisor.bundle_server import BundleServer
from gateway.supervisor.stop_list import StopList

ONE, TWO = "https://one.example", "https://two.example"


class Bed:
    def __init__(self, directory: Path, *hubs: str) -> None:
        self.noted: list[tuple[str, str]] = []
        feed = BundleServer(BundleEndpoint("t"), BundleServiceAddress("http://h", "p", "t"))
        stops = StopList(Stops(directory), feed, self.note, floor=0, follows=bool(hubs))
        self.following = BundleFollowers(feed, stops, self.note, HighwaterFile(directory), hubs=hubs)

    def note(self, event: str, /, *, detail: str = "", **_: Any) -> None:
        self.noted.append((event, detail))

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.noted]


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path, ONE, TWO)


def test_confirmation_is_the_older_of_policy_and_latest_stops(bed: Bed) -> None:
    told: list[int] = []
    bed.following.on_confirmed = lambda unix_ns, _: told.append(unix_ns)
    bed.following.policy(BundleConfirmed(5))
    assert (bed.following.confirmed, told) == ((0, ""), []), "no stops were received yet"
    bed.following.emergency(ONE, "one", BundleConfirmed(3))
    bed.following.emergency(TWO, "two", BundleConfirmed(9))
    assert bed.following.confirmed == (5, "")
    bed.following.policy(BundleConfirmed(20))
    assert told == [3, 5, 9]


def test_without_a_key_of_stops_the_policy_alone_counts(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    bed.following.policy(BundleConfirmed(5))
    assert bed.following.confirmed == (5, "")


def test_each_hub_whose_stops_are_missed_is_named_until_it_is_heard_again(bed: Bed) -> None:
    bed.following.policy(Passed(f"{ONE}: no answer"))
    bed.following.emergency(ONE, "one", Unreached(f"{ONE}: no answer"))
    bed.following.emergency(TWO, "two", Unreached(f"{TWO}: HTTP 500"))
    assert bed.following.away == f"{ONE}: no answer; {TWO}: HTTP 500"
    bed.following.emergency(ONE, "one", Reached(ONE))
    assert bed.following.away == f"{TWO}: HTTP 500"
    unreachable = ["emergency_hub_unreachable"] * 2
    assert bed.events == ["hub_skipped", *unreachable, "emergency_hub_reached"]


def test_a_problem_of_one_hub_is_not_cleared_by_another(bed: Bed) -> None:
    rejected = Rejected("bundle_unsigned", "no signature")
    bed.following.emergency(ONE, "one", BundleRefused(rejected))
    bed.following.emergency(TWO, "two", BundleConfirmed(3))
    assert bed.following.problem == str(rejected)
    bed.following.emergency(ONE, "one", BundleConfirmed(3))
    assert bed.following.problem == ""


def test_a_wrong_clock_is_logged_once_with_its_hub_and_again_when_it_agrees(bed: Bed) -> None:
    for ahead_s in (3600.0, 3599.0, 0.0, 0.0, -3600.0):
        bed.following.clock(ONE, ahead_s)
    bed.following.clock(TWO, 0.0)
    assert bed.events == ["clock_skew", "clock_in_sync", "clock_skew"]
    assert bed.noted[0][1].startswith(f"{ONE}: its clock is 3600 s ahead of this machine's")
    assert bed.following.clocks == f"{ONE}: its clock is 3600 s behind this machine's"
