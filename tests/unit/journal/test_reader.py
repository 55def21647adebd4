"""Reading of all segments in one order, in any state in which a writer left them."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.follow import Tail, follow
from gateway.journal.reader import read
from gateway.journal.segment_lines import CHUNK, content_end
from gateway.journal.segment_names import SegmentName, named, segments
from gateway.journal.writer import JournalWriter
from tests.unit.journal.conftest import a_completed, a_decided


def text(record: dict[str, Any]) -> bytes:
    return json.dumps({"kind": "decided"} | record).encode() + b"\n"


def segment(directory: Path, name: SegmentName, records: Sequence[dict[str, Any]], tail: bytes = b"") -> Path:
    path = directory / str(name)
    path.write_bytes(b"".join(text(record) for record in records) + tail)
    return path


def place(at: int, writer: str, sequence: int) -> dict[str, Any]:
    return {"at": at, "writer": writer, "sequence": sequence}


@st.composite
def journals(draw: st.DrawFn) -> list[tuple[str, list[list[dict[str, Any]]]]]:
    """Return some writers, each with segments of records whose time never decreases and whose sequence grows."""
    writers: list[tuple[str, list[list[dict[str, Any]]]]] = []
    for index in range(draw(st.integers(1, 4))):
        at, sequence = draw(st.integers(0, 20)), 0
        written: list[list[dict[str, Any]]] = []
        for size in draw(st.lists(st.integers(0, 5), min_size=1, max_size=4)):
            records: list[dict[str, Any]] = []
            for step in draw(st.lists(st.integers(0, 6), min_size=size, max_size=size)):
                at, sequence = at + step, sequence + 1
                records.append(place(at, f"w{index}", sequence))
            written.append(records)
        writers.append((f"w{index}", written))
    return writers


@given(writers=journals(), since=st.integers(0, 40))
def test_all_segments_of_all_writers_are_read_in_one_order(
    tmp_path_factory: pytest.TempPathFactory, writers: list[tuple[str, list[list[dict[str, Any]]]]], since: int
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    everything: list[tuple[int, str, int]] = []
    for writer, written in writers:
        begins = 0
        for number, records in enumerate(written, 1):
            begins = records[0]["at"] if records else begins
            segment(directory, SegmentName(begins, writer, number), records, b"\0" * 10)
            begins = records[-1]["at"] if records else begins
            everything += [(record["at"], writer, record["sequence"]) for record in records]
    found = [(record["at"], record["writer"], record["sequence"]) for record in read(directory, since_ns=since)]
    assert found == sorted(key for key in everything if key[0] >= since)


def test_records_of_the_exact_start_time_are_read_from_the_previous_segment(tmp_path: Path) -> None:
    segment(tmp_path, SegmentName(1, "w", 1), [place(1, "w", 1), place(7, "w", 2)])
    segment(tmp_path, SegmentName(7, "w", 2), [place(7, "w", 3)])
    assert [record["sequence"] for record in read(tmp_path, since_ns=7)] == [2, 3]
    assert [record["sequence"] for record in read(tmp_path, since_ns=8)] == []


@given(tail=st.binary(max_size=60).filter(lambda tail: b"\n" not in tail))
def test_an_incomplete_last_line_and_bytes_after_a_nul_are_not_read(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    segment(directory, SegmentName(1, "w", 1), [place(1, "w", 1)], tail)
    segment(directory, SegmentName(2, "w", 2), [place(2, "w", 2)], b"\0" * 9 + text(place(3, "w", 3)))
    assert [record["sequence"] for record in read(directory)] == [1, 2]


@given(content=st.binary(max_size=300))
def test_any_file_is_read_without_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    directory = tmp_path_factory.mktemp("journal")
    (directory / str(SegmentName(1, "w", 1))).write_bytes(content + b"\n" + text(place(5, "w", 9)))
    kinds = [record["kind"] for record in read(directory)]
    if b"\0" not in content:
        assert kinds[-1] == "decided"
    assert set(kinds) <= {"decided", "unreadable"}


def test_an_invalid_line_is_shown_with_its_position(tmp_path: Path) -> None:
    path = segment(tmp_path, SegmentName(1, "w", 1), [place(1, "w", 1)])
    with path.open("ab") as file:
        file.write(b"not a record\n" + text(place(2, "w", 2)))
    found = list(read(tmp_path))
    assert [record["kind"] for record in found] == ["decided", "unreadable", "decided"]
    assert (found[1]["file"], found[1]["bytes"]) == (path.name, 12)


def test_void_records_are_not_shown(tmp_path: Path) -> None:
    segment(tmp_path, SegmentName(1, "w", 1), [place(1, "w", 1), place(1, "w", 2), place(1, "w", 3)])
    segment(tmp_path, SegmentName(1, "x", 1), [place(1, "x", 2)])
    segment(tmp_path, SegmentName(2, "w", 2), [place(2, "w", 4) | {"kind": "voided", "first": 2, "last": 3}])
    assert [(record["writer"], record["sequence"]) for record in read(tmp_path)] == [("w", 1), ("x", 2), ("w", 4)]


def test_a_segment_longer_than_one_chunk_is_read_completely(tmp_path: Path) -> None:
    records = [place(1, "w", number) | {"pad": "x" * 1000} for number in range(3_000)]
    segment(tmp_path, SegmentName(1, "w", 1), records, b"\0" * 100)
    assert [record["sequence"] for record in read(tmp_path)] == list(range(3_000))


def test_other_files_are_not_segments(tmp_path: Path) -> None:
    for name in ("digest.key", "highwater.json", "1.w.1.jsonl", f"{1:019}.w.{1:06}.jsonl.bak"):
        (tmp_path / name).write_text("{}\n")
    assert segments(tmp_path) == []
    assert segments(tmp_path / "missing") == []


@given(begins=st.integers(0, 10**19 - 1), writer=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True))
def test_a_segment_name_is_read_as_it_was_written(begins: int, writer: str) -> None:
    name = SegmentName(begins, writer, 3)
    assert named(Path(str(name))) == name


@given(lines=st.lists(st.integers(0, 9), max_size=6), torn=st.integers(0, 9), padding=st.integers(0, 40))
def test_the_end_of_the_last_complete_line_is_found(
    tmp_path_factory: pytest.TempPathFactory, lines: list[int], torn: int, padding: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "s"
    content = b"".join(b"x" * length + b"\n" for length in lines)
    path.write_bytes(content + b"x" * torn + b"\0" * padding)
    assert content_end(path) == len(content)


def test_the_end_of_the_last_complete_line_precedes_a_long_incomplete_one(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"one\n" + b"x" * (2 * CHUNK + 5))
    assert content_end(tmp_path / "s") == 4


async def test_following_from_within_an_incomplete_line_reads_the_entire_line(tmp_path: Path) -> None:
    whole = text(place(2, "w", 2))
    path = segment(tmp_path, SegmentName(1, "w", 1), [place(1, "w", 1)], whole[:10])
    tail = Tail(tmp_path)
    assert tail.more() == []
    with path.open("ab") as file:
        file.write(whole[10:])
    assert [record["sequence"] for record in tail.more()] == [2]


async def test_each_added_record_is_seen_once(journal: JournalWriter) -> None:
    await journal.decided(a_decided("before"))
    tail = Tail(journal.directory)
    assert tail.more() == []
    await journal.decided(a_decided("after"))
    assert [record["call_id"] for record in tail.more()] == ["after"]
    assert tail.more() == []
    later = [f"later-{number}" for number in range(6)]
    for call_id in later:
        await journal.decided(a_decided(call_id, server="x" * 50_000))
    assert len(segments(journal.directory)) == 2
    assert [record["call_id"] for record in tail.more()] == later


async def test_following_from_the_start_shows_all_records(journal: JournalWriter) -> None:
    await journal.decided(a_decided("before"))
    assert [record["call_id"] for record in Tail(journal.directory, from_start=True).more()] == ["before"]


async def test_following_shows_records_as_they_are_written(journal: JournalWriter) -> None:
    await journal.decided(a_decided("one"))
    seen: list[str] = []
    async with asyncio.timeout(15):
        async for records in follow(journal.directory, tail=Tail(journal.directory, from_start=True)):
            seen += [record["call_id"] for record in records]
            if len(seen) == 1:
                await journal.decided(a_decided("two"))
                journal.completed(a_completed("two"))
            if len(seen) == 3:
                break
    assert seen == ["one", "two", "two"]
