"""Retention: the oldest segments are removed first, open ones never, and abandoned ones lose only their padding."""

import fcntl
import os
from pathlib import Path

from gateway.journal.journal_options import JournalState
from gateway.journal.retention import retain, seal_abandoned
from gateway.journal.segment_names import SegmentName, segments
from gateway.journal.storage import Disk

BLOCK = 4096


def segment(directory: Path, number: int, content: bytes = b"x" * BLOCK) -> Path:
    path = directory / str(SegmentName(number, "w", number))
    path.write_bytes(content)
    os.utime(path, ns=(number, number))
    return path


def numbers(directory: Path) -> list[int]:
    return [name.number for name, _ in segments(directory)]


def test_the_oldest_segments_above_the_budget_are_removed_first(tmp_path: Path) -> None:
    for number in range(1, 6):
        segment(tmp_path, number)
    kept = retain(tmp_path, before_ns=0, budget=2 * BLOCK)
    assert numbers(tmp_path) == [4, 5]
    assert (kept.space, kept.segments) == (2 * BLOCK, 2)


def test_expired_segments_are_removed(tmp_path: Path) -> None:
    for number in range(1, 6):
        segment(tmp_path, number)
    retain(tmp_path, before_ns=3, budget=1 << 30)
    assert numbers(tmp_path) == [3, 4, 5]


def test_a_segment_that_is_held_open_stays(tmp_path: Path) -> None:
    with segment(tmp_path, 1).open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        segment(tmp_path, 2)
        kept = retain(tmp_path, before_ns=100, budget=0)
    assert numbers(tmp_path) == [1]
    assert kept.segments == 1


def test_other_files_are_never_removed(tmp_path: Path) -> None:
    (tmp_path / "digest.key").write_bytes(b"x" * BLOCK)
    retain(tmp_path, before_ns=1 << 62, budget=0)
    assert (tmp_path / "digest.key").exists()


def test_sealing_an_abandoned_segment_removes_only_its_padding(tmp_path: Path) -> None:
    path = segment(tmp_path, 1, b"one\ntorn" + b"\0" * BLOCK)
    assert [name.number for name in seal_abandoned(tmp_path)] == [1]
    assert path.read_bytes() == b"one\ntorn"
    assert seal_abandoned(tmp_path) == []


def test_sealing_an_abandoned_segment_releases_its_space_and_keeps_its_time(tmp_path: Path) -> None:
    path = tmp_path / str(SegmentName(1, "w", 1))
    descriptor = Disk().create(path, 1 << 20)
    Disk().write(descriptor, b"one\ntorn", 0, durable=False)
    os.close(descriptor)
    os.utime(path, ns=(1, 1))
    assert path.stat().st_blocks * 512 >= 1 << 20
    assert [name.number for name in seal_abandoned(tmp_path)] == [1]
    assert path.stat().st_blocks * 512 < 1 << 16
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (b"one\ntorn", 1)
    assert seal_abandoned(tmp_path) == []


def test_an_abandoned_segment_without_a_record_becomes_empty(tmp_path: Path) -> None:
    path = segment(tmp_path, 1, b"\0" * BLOCK)
    seal_abandoned(tmp_path)
    assert path.stat().st_size == 0


def test_an_open_segment_keeps_its_padding(tmp_path: Path) -> None:
    path = segment(tmp_path, 1, b"one\n" + b"\0" * 100)
    with path.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert seal_abandoned(tmp_path) == []
    assert path.stat().st_size == 104


def test_the_journal_warns_from_80_percent_of_its_budget() -> None:
    def state(space: int) -> JournalState:
        return JournalState(space_used=space, budget=100, lag_s=0, segments=1, failed="")

    assert not state(79).warns
    assert state(80).warns
