"""The offered document of stops: the machine's, a hub's, or both, under a number that never falls."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import pack
from gateway.artifact.signature_checks import EMERGENCY, VerifyingKey, unsigned_by
from gateway.artifact.signing import ephemeral_key
from gateway.artifact.stop_file import FILE, Stops
from gateway.artifact.stops_bundle import ENVIRONMENT, ROOT, Stop, document, emergency_bundle
from gateway.follow.acceptance import stops_in
from gateway.follow.bundle_endpoint import EMERGENCY_RESOURCE, BundleEndpoint
from gateway.follow.bundle_endpoint_server import BundleServiceAddress
from gateway.hub.rollout import reached
from gateway.supervisor.bundle_server import BundleServer
from gateway.supervisor.stop_list import REMEMBERED, StopList

HUB = ephemeral_key()
ONE, TWO = "https://one.example", "https://two.example"
LATER = time.time_ns() + 600 * 10**9
EXCEEDED = "stop_duration_exceeded"


def stop(stop_id: str, until: int = LATER) -> Stop:
    return Stop(id=stop_id, kind="agent", name="bot", until_unix_ns=until, because="why", by="who", at="when")


def of_hub(seq: int, *stops: Stop) -> Artifact:
    found = read_artifact(emergency_bundle(stops, seq, HUB).content)
    assert isinstance(found, Artifact)
    return found


def of_another_maker(seq: int, *stops: Stop) -> Artifact:
    """Return a hub's document as in `of_hub`, but with numbers that this program does not write."""
    files = {"data.json": json.dumps(document(stops), sort_keys=True, separators=(",", ":")).encode()}
    metadata = BundleMetadata(environment=ENVIRONMENT, seq=seq)
    found = read_artifact(pack(files, metadata, key=HUB, roots=(ROOT,), scope=EMERGENCY).content)
    assert isinstance(found, Artifact)
    return found


class Bed:
    def __init__(self, directory: Path, *, floor: int = 0, follows: bool = False) -> None:
        self.noted: list[tuple[str, dict[str, Any]]] = []
        self.endpoint = BundleEndpoint("t")
        self.feed = BundleServer(self.endpoint, BundleServiceAddress("http://h", "p", "t"))
        self.stops = Stops(directory)
        self.stopping = StopList(self.stops, self.feed, self.note, floor=floor, follows=follows)

    def note(self, event: str, /, **fields: Any) -> None:
        self.noted.append((event, fields))

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.noted]

    @property
    def revision(self) -> str:
        """The revision of the offered document."""
        offer = self.endpoint._offerings[EMERGENCY_RESOURCE].offer
        found = None if offer is None else read_artifact(offer.content)
        assert isinstance(found, Artifact)
        return found.revision

    @property
    def ends(self) -> dict[str, int]:
        """The ends of the offered stops."""
        offer = self.endpoint._offerings[EMERGENCY_RESOURCE].offer
        found = None if offer is None else read_artifact(offer.content)
        assert isinstance(found, Artifact)
        stops = stops_in(found)
        assert isinstance(stops, tuple)
        return {one.id: one.until_unix_ns for one in stops}

    @property
    def offered(self) -> tuple[int, set[str]] | None:
        """The number and the stops of the offered document, verified as in OPA."""
        offer = self.endpoint._offerings[EMERGENCY_RESOURCE].offer
        if offer is None:
            return None
        found = read_artifact(offer.content)
        assert isinstance(found, Artifact)
        key = VerifyingKey(keyid=self.feed.stops_key.keyid, pem=self.feed.stops_key.public_pem)
        assert unsigned_by(found, [key], EMERGENCY) is None
        stops = stops_in(found)
        assert isinstance(stops, tuple)
        return found.manifest.metadata.seq, {one.id for one in stops}


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def test_a_missing_file_means_no_stops_under_the_highest_enforced_number(tmp_path: Path) -> None:
    bed = Bed(tmp_path, floor=7)
    bed.stopping.look()
    assert bed.offered == (7, set())
    assert bed.feed.stopped.is_set()
    assert bed.noted == []


def test_local_stops_and_lifts_are_offered_and_logged(bed: Bed) -> None:
    bed.stopping.look()
    bed.stops.add(stop("s1"), time.time_ns())
    bed.stopping.look()
    first = bed.offered
    assert first is not None
    assert first[1] == {"s1"}
    bed.stopping.look()
    assert bed.events == ["stopped"]
    bed.stops.lift("s1", time.time_ns())
    bed.stopping.look()
    second = bed.offered
    assert second is not None
    assert second == (second[0], set())
    assert second[0] > first[0]
    assert bed.events == ["stopped", "lifted"]
    assert bed.noted[0][1]["detail"] == bed.noted[1][1]["detail"]


def test_a_file_that_cannot_be_read_lifts_nothing_and_starts_nothing(tmp_path: Path, bed: Bed) -> None:
    (tmp_path / FILE).write_text("{")
    bed.stopping.look()
    assert bed.offered is None
    assert not bed.feed.stopped.is_set()
    assert "is not a valid file of stops" in bed.stopping.problem
    (tmp_path / FILE).unlink()
    bed.stops.add(stop("s1"), time.time_ns())
    bed.stopping.look()
    for damage in ("", '{"more": ' + "[" * 5000):
        (tmp_path / FILE).write_text(damage)
        bed.stopping.look()
        assert bed.offered is not None
        assert bed.offered[1] == {"s1"}
    assert bed.events == ["stops_unreadable", "stopped", "stops_unreadable", "stops_unreadable"]


def test_no_stops_are_offered_before_the_followed_hub_was_read(tmp_path: Path) -> None:
    bed = Bed(tmp_path, follows=True)
    bed.stops.add(stop("s1"), time.time_ns())
    bed.stopping.look()
    assert bed.offered is None
    bed.stopping.take(ONE, of_hub(5, stop("h1")))
    assert bed.offered is not None
    assert bed.offered[1] == {"s1", "h1"}


def test_a_hubs_document_is_passed_on_as_it_is_until_something_is_stopped_here(tmp_path: Path) -> None:
    bed, now_ms = Bed(tmp_path, follows=True), time.time_ns() // 10**6
    bed.stopping.look()
    hub = of_hub(now_ms, stop("h1"))
    bed.stopping.take(ONE, hub)
    offer = bed.endpoint._offerings[EMERGENCY_RESOURCE].offer
    assert offer is not None
    assert offer.etag == f'"{hub.digest}"', "a hub sees the revision that it made"
    bed.stops.add(stop("s1"), time.time_ns())
    bed.stopping.look()
    merged = bed.offered
    assert merged is not None
    assert merged[1] == {"h1", "s1"}
    bed.stops.lift("s1", time.time_ns())
    bed.stopping.look()
    lifted = bed.offered
    assert lifted is not None
    assert lifted[1] == {"h1"}
    assert now_ms <= merged[0] < lifted[0], "the hub's own number would be a step back"
    bed.stopping.take(ONE, of_hub(lifted[0] + 1))
    assert bed.offered == (lifted[0] + 1, set())


@pytest.mark.parametrize(("hours", "told"), [(24, []), (25, [EXCEEDED]), (9_000, [EXCEEDED])])
def test_an_overlong_stop_from_another_source_is_enforced_and_logged(
    tmp_path: Path, hours: int, told: list[str]
) -> None:
    bed = Bed(tmp_path, follows=True)
    bed.stopping.look()
    for seq in (1, 2):
        bed.stopping.take(
            ONE, of_hub(time.time_ns() // 10**6 + seq, stop("h1", time.time_ns() + hours * 3_600 * 10**9))
        )
    assert bed.offered is not None
    assert bed.offered[1] == {"h1"}
    assert bed.events == ["stopped", *told], "once"


def test_a_stop_that_ended_by_itself_is_not_logged_as_lifted(bed: Bed) -> None:
    bed.stops.add(stop("s1", time.time_ns() + 10**8), time.time_ns())
    bed.stopping.look()
    while time.time_ns() < LATER and bed.events != ["stopped", "stop_ended", "stopped"]:
        bed.stops.path.touch()
        bed.stopping.look()
        if bed.events == ["stopped", "stop_ended"]:
            bed.stops.add(stop("s2"), time.time_ns())
    assert bed.offered is not None
    assert bed.offered[1] == {"s2"}


def test_a_stop_of_any_hub_is_enforced_and_only_that_hub_lifts_it(tmp_path: Path) -> None:
    bed, now_ms = Bed(tmp_path, follows=True), time.time_ns() // 10**6
    ahead = now_ms + 3_600_000
    bed.stopping.look()
    bed.stopping.take(ONE, of_hub(ahead, stop("h1")))
    bed.stopping.take(TWO, of_hub(now_ms, stop("h2")))
    assert bed.offered == (ahead, {"h1", "h2"}), "a hub with a correct clock counts in addition to one that is ahead"
    bed.stopping.take(TWO, of_hub(now_ms + 1))
    assert bed.offered == (ahead, {"h1"})
    bed.stopping.take(ONE, of_hub(ahead + 1))
    assert bed.offered == (ahead + 1, set())
    assert bed.events == ["stopped", "stopped", "lifted", "lifted"]


def test_a_stop_that_two_hubs_have_from_one_directory_is_one_stop(tmp_path: Path) -> None:
    bed = Bed(tmp_path, follows=True)
    bed.stopping.look()
    for seq, url in enumerate((ONE, TWO), 5):
        bed.stopping.take(url, of_hub(seq, stop("h1")))
    assert bed.offered == (6, {"h1"})
    assert bed.events == ["stopped"]


def test_each_hub_gets_its_own_revision_if_the_enforced_document_contains_it(tmp_path: Path) -> None:
    bed, one, two = Bed(tmp_path, follows=True), of_hub(900, stop("h1")), of_hub(5, stop("h2"))
    bed.stopping.look()
    bed.stopping.take(ONE, one)
    alone = bed.revision
    bed.stopping.take(TWO, two)
    both = bed.revision
    assert [bed.stopping.known_as(url, both) for url in (ONE, TWO)] == [one.revision, two.revision]
    assert bed.stopping.known_as(ONE, alone) == one.revision
    assert bed.stopping.known_as(TWO, alone) == "", "the document contains no stops of this hub yet"


def test_no_hub_gets_a_revision_that_is_too_old_to_be_remembered(tmp_path: Path) -> None:
    bed = Bed(tmp_path, follows=True)
    bed.stopping.look()
    bed.stopping.take(ONE, of_hub(900, stop("h1")))
    bed.stopping.take(TWO, of_hub(5, stop("h2")))
    old = bed.revision
    for seq in range(6, 6 + REMEMBERED):
        bed.stopping.take(TWO, of_hub(seq, stop(f"h{seq}")))
    assert reached(bed.stopping.known_as(TWO, old), f"emergency@x.{5 + REMEMBERED}") == "", (
        "OPA still has the first of all these"
    )
    assert Bed(tmp_path).stopping.known_as(TWO, old) == old, "without followed hubs there is one number"


def test_a_stop_of_a_hub_with_a_late_clock_lasts_its_full_duration(
    tmp_path: Path,
) -> None:
    bed, now = Bed(tmp_path, follows=True), time.time_ns()
    bed.stopping.look()
    over = stop("h1", now - 1800 * 10**9)
    bed.stopping.behind(ONE, 3600)
    bed.stopping.take(ONE, of_hub(now // 10**6, over))
    assert bed.ends == {"h1": over.until_unix_ns + 3600 * 10**9}
    assert bed.events == ["stopped"]
    bed.stopping.behind(ONE, 0)
    bed.stopping.take(ONE, of_hub(now // 10**6 + 1, over, stop("h2")))
    assert bed.ends == {"h1": over.until_unix_ns + 3600 * 10**9, "h2": LATER}
    bed.stopping.take(ONE, of_hub(now // 10**6 + 2))
    assert bed.ends == {}


def test_a_clock_that_falls_behind_moves_ends_unless_the_change_is_small(tmp_path: Path) -> None:
    bed = Bed(tmp_path, follows=True)
    bed.stopping.look()
    bed.stopping.take(ONE, of_hub(5, stop("h1")))
    first = bed.revision
    bed.stopping.behind(ONE, 9)
    assert bed.revision == first
    bed.stopping.behind(ONE, 100)
    assert bed.ends == {"h1": LATER + 100 * 10**9}
    assert bed.stopping.known_as(ONE, bed.revision) == bed.stopping.known_as(ONE, first)
    bed.stopping.behind(ONE, 10**9)
    assert bed.ends == {"h1": LATER + 86_400 * 10**9}, "a wrong clock does not make a stop last forever"


@pytest.mark.parametrize("days", [2, 800, 20_000])
def test_a_stop_of_a_hub_that_is_days_or_years_behind_binds_here_for_its_time(tmp_path: Path, days: int) -> None:
    bed, now, behind_s = Bed(tmp_path, follows=True), time.time_ns(), days * 86_400
    bed.stopping.look()
    bed.stopping.behind(ONE, behind_s)
    bed.stopping.take(ONE, of_hub(5, stop("h1", now - behind_s * 10**9 + 600 * 10**9)))
    assert bed.ends == {"h1": now + 600 * 10**9}
    assert bed.events == ["stopped"]


def test_a_false_clock_moves_an_end_by_at_most_a_day(tmp_path: Path) -> None:
    bed, now = Bed(tmp_path, follows=True), time.time_ns()
    bed.stopping.look()
    bed.stopping.take(ONE, of_hub(5, stop("h1", now - 10**9)))
    for seq in range(6, 9):
        bed.stopping.behind(ONE, 10**6 * seq)
        bed.stopping.take(ONE, of_hub(seq, stop("h1", now - 10**9)))
        (end,) = bed.ends.values()
        assert now <= end - 86_400 * 10**9 <= now + 60 * 10**9, "of the moment when it was first known"


@pytest.mark.parametrize("until", [2**64, 10**30])
def test_an_end_beyond_the_calendar_does_not_end_other_stops(tmp_path: Path, until: int) -> None:
    bed = Bed(tmp_path, follows=True)
    bed.stopping.look()
    bed.stopping.take(ONE, of_hub(5, stop("h1")))
    bed.stopping.take(TWO, of_another_maker(6, stop("h2", until)))
    bed.stops.add(stop("s1"), time.time_ns())
    bed.stopping.look()
    assert bed.offered is not None
    assert bed.offered[1] == {"h1", "h2", "s1"}
    assert bed.events == ["stopped", "stopped", "stop_duration_exceeded", "stopped"]


def test_an_ended_stop_is_logged_without_any_other_event(bed: Bed) -> None:
    bed.stopping.look()
    bed.stops.add(stop("s1", time.time_ns() + 10**8), time.time_ns())
    bed.stopping.look()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and bed.events != ["stopped", "stop_ended"]:
        bed.stopping.look()
    assert bed.events == ["stopped", "stop_ended"]
