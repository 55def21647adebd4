"""Each segment contains the descriptions of its decisions, so that none needs a segment that retention has removed."""

import asyncio
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.admission.record import Decided, JournalFailure, Receipt
from gateway.journal import descriptions_per_segment
from gateway.journal.described_records import REPEATED_NS
from gateway.journal.descriptions_per_segment import RepeatedDescriptions
from gateway.journal.journal_options import JournalOptions
from gateway.journal.reader import read
from gateway.journal.record_expander import UNDESCRIBED, Expander
from gateway.journal.segment_names import segments
from gateway.journal.sequencer import PendingEntry
from gateway.journal.writer import JournalWriter
from tests.unit.journal.conftest import Fickle
from tests.unit.journal.samples import CALL

SMALL: Final = JournalOptions(segment_bytes=65_536, retry_s=0.01)
SENDERS: Final = 4


def call(number: int, sender: int = 0) -> Decided:
    """Return a call of one of several senders, each with different circumstances."""
    assert CALL.input is not None
    session = f"session-{sender}"
    asked = replace(CALL.input, context=replace(CALL.input.context, session=session))
    return replace(CALL, call_id=f"call-{number}", session=session, input=asked)


async def written(journal: JournalWriter, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        assert isinstance(await journal.decided(call(number, number % SENDERS)), Receipt)


def whole(path: Path) -> list[dict[str, Any]]:
    """Return the decisions of one file, expanded with the descriptions of this file."""
    lines = [orjson.loads(line) for line in path.read_bytes().rstrip(b"\0").splitlines()]
    return [dict(record) for record in Expander().expanded(lines) if record["kind"] == "decided"]


def assert_whole(records: list[dict[str, Any]]) -> None:
    assert records
    for record in records:
        sender = int(record["call_id"].removeprefix("call-")) % SENDERS
        assert UNDESCRIBED not in record
        assert record["input"] is not None
        assert record["input"]["context"]["session"] == record["session"] == f"session-{sender}"
        assert record["replayable"] == CALL.replayable
        assert CALL.agent is not None
        assert (record["agent"]["owner"], record["trust"]) == (CALL.agent.owner, CALL.trust)


async def test_a_journal_without_its_first_segment_can_be_expanded(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "j", SMALL, writer="w1")
    journal.start()
    await written(journal, 200)
    await journal.close()
    (_, oldest), *rest = segments(journal.directory)
    assert len(rest) >= 2
    await asyncio.to_thread(oldest.unlink)
    assert_whole([dict(each) for each in Expander().expanded(read(journal.directory)) if each["kind"] == "decided"])
    for _, path in rest:
        assert_whole(whole(path))


async def test_a_segment_begins_with_only_the_descriptions_that_it_needs(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "j", replace(SMALL, segment_age_s=0.0), writer="w1")
    journal.start()
    for number in range(SENDERS):
        await journal.decided(call(number, number))
    await journal.decided(call(SENDERS, 0))
    await journal.close()
    last = [path for _, path in segments(journal.directory) if path.stat().st_size][-1]  # an idle writer begins another
    lines = [orjson.loads(line) for line in (await asyncio.to_thread(last.read_bytes)).splitlines()]
    assert [line["kind"] for line in lines] == ["described", "decided"]
    assert_whole(whole(last))


async def test_within_a_segment_nothing_is_described_twice(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "j", JournalOptions(), writer="w1")
    journal.start()
    await written(journal, 100)
    await journal.close()
    assert sum(record["kind"] == "described" for record in read(journal.directory)) == SENDERS


async def test_receipts_have_the_positions_of_their_own_records(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "j", replace(SMALL, segment_age_s=0.0), writer="w1")
    journal.start()
    receipts = {f"call-{number}": await journal.decided(call(number, number % 2)) for number in range(10)}
    await journal.close()
    places = {record["call_id"]: record["sequence"] for record in read(journal.directory) if "call_id" in record}
    assert {name: each.sequence for name, each in receipts.items() if isinstance(each, Receipt)} == places


async def test_the_next_segment_repeats_the_descriptions_of_a_failed_commit(
    journal: JournalWriter, storage: Fickle
) -> None:
    storage.open.clear()
    first = asyncio.ensure_future(journal.decided(call(0)))
    second = asyncio.ensure_future(journal.decided(call(SENDERS)))
    storage.fail_once()
    storage.open.set()
    assert isinstance(await first, JournalFailure)
    assert isinstance(await second, JournalFailure)
    assert isinstance(await journal.decided(call(2 * SENDERS)), Receipt)
    await journal.close()
    assert_whole(whole(segments(journal.directory)[-1][1]))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=60))
def test_every_segment_has_its_descriptions_in_any_order(steps: list[tuple[int, bool]]) -> None:
    """With random senders and new segments, each decision comes after its descriptions."""
    made, described = RepeatedDescriptions(), set[int]()
    made.begin()
    inside = set[str]()
    for number, renewed in steps:
        if renewed:
            made.begin()
            inside.clear()
        body = f"{number}".encode()
        news = [] if number in described else [PendingEntry(body, describes=(number + 1,))]
        described.add(number)
        batch = [*news, PendingEntry(b"{}", needs=(number + 1,))]
        made.learn(batch)
        repeats = [entry.body.decode() for entry in made.before(batch, 10_000)]
        lines = [*repeats, *(entry.body.decode() for entry in news)]
        assert len(lines) == (f"{number}" not in inside)
        inside.update(lines)
        assert f"{number}" in inside


def test_a_record_is_written_without_descriptions_that_do_not_fit() -> None:
    made = RepeatedDescriptions()
    made.learn([PendingEntry(b"x" * 500, describes=(1,)), PendingEntry(b"y" * 10, describes=(2,))])
    made.begin()
    assert [entry.body for entry in made.before([PendingEntry(b"{}", needs=(1, 2))], 400)] == [b"y" * 10]
    assert [entry.body for entry in made.before([PendingEntry(b"{}", needs=(1, 2))], 4_000)] == [b"x" * 500]


def test_memory_is_limited_by_dropping_the_oldest_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptions_per_segment, "MOST_BYTES", 1_000)
    made = RepeatedDescriptions()
    made.learn([PendingEntry(b"x" * 100, describes=(number,)) for number in range(1, 21)])
    made.begin()
    found = made.before([PendingEntry(b"{}", needs=(number,)) for number in range(1, 21)], 100_000)
    assert len(found) == 10
    assert len(made._held) == 10


async def test_a_description_is_repeated_after_its_interval_in_the_same_segment(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "j", JournalOptions(), writer="w1")
    journal.start()
    await journal.decided(call(0))
    await journal.decided(replace(call(1), monotonic_ns=CALL.monotonic_ns + REPEATED_NS))
    await journal.close()
    kinds = [record["kind"] for record in read(journal.directory)]
    assert kinds == ["described", "decided", "described", "decided"]
