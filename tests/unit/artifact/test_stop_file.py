"""The file of stops: complete, with bounded stops, and with a sequence number that only grows."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.artifact.stop_file import ActiveStops, Stops
from gateway.artifact.stops_bundle import Stop

NOW = 1_795_000_000_000_000_000
SECOND = 1_000_000_000
STOP = Stop(
    id="s1", kind="agent", name="bot", until_unix_ns=NOW + SECOND, because="it deletes", by="alice", at="2026-11-28"
)


def test_a_new_file_has_no_stops(tmp_path: Path) -> None:
    assert Stops(tmp_path / "new").standing() == ActiveStops()


def test_a_stop_is_active_until_it_is_lifted(tmp_path: Path) -> None:
    stops = Stops(tmp_path)
    stood = stops.add(STOP, NOW)
    assert isinstance(stood, ActiveStops)
    assert Stops(tmp_path).standing() == stood
    assert stood.stops == (STOP,)
    lifted = stops.lift("s1", NOW)
    assert lifted is not None
    assert lifted.stops == ()
    assert lifted.seq > stood.seq
    assert stops.lift("s1", NOW) is None


def test_the_sequence_number_grows_and_is_never_lower_than_the_time(tmp_path: Path) -> None:
    stops = Stops(tmp_path)
    first = stops.add(STOP, NOW)
    second = stops.add(replace(STOP, id="s2"), NOW - SECOND)
    assert isinstance(first, ActiveStops)
    assert isinstance(second, ActiveStops)
    assert (first.seq, second.seq) == (NOW // 1_000_000, NOW // 1_000_000 + 1)


def test_the_next_change_removes_expired_stops(tmp_path: Path) -> None:
    stops = Stops(tmp_path)
    stops.add(STOP, NOW)
    later = stops.add(replace(STOP, id="s2", until_unix_ns=NOW + 9 * SECOND), NOW + 2 * SECOND)
    assert isinstance(later, ActiveStops)
    assert [stop.id for stop in later.stops] == ["s2"]


def test_an_invalid_stop_changes_nothing(tmp_path: Path) -> None:
    stops = Stops(tmp_path)
    assert stops.add(replace(STOP, because=""), NOW) == "the stop has no reason: write one, refusals show it"
    assert not stops.path.exists()


def test_a_damaged_file_is_an_error_and_is_not_changed(tmp_path: Path) -> None:
    stops = Stops(tmp_path)
    stops.path.write_text("{")
    for attempt in (stops.standing, lambda: stops.add(STOP, NOW), lambda: stops.lift("s1", NOW)):
        with pytest.raises(OSError, match="is not a valid file of stops"):
            attempt()
    assert stops.path.read_text() == "{"


def test_renewing_removes_expired_stops_and_raises_the_sequence_number(tmp_path: Path) -> None:
    stops = Stops(tmp_path)
    stood = stops.add(STOP, NOW)
    assert isinstance(stood, ActiveStops)
    again = stops.renewed(NOW)
    assert again.seq > stood.seq
    assert again.stops == stood.stops
    assert stops.renewed(STOP.until_unix_ns).stops == ()
