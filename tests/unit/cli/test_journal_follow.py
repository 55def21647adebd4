"""`journal tail --follow` shows each record once, whenever it is added."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import journal as command
from gateway.cli.journal import ShownRecords
from gateway.journal.query import Filter
from gateway.journal.writer import JournalWriter
from tests.unit.journal.conftest import Fickle, a_completed, a_decided
from tests.unit.journal.conftest import journal as journal  # noqa: PLC0414 - a fixture
from tests.unit.journal.conftest import storage as storage  # noqa: PLC0414 - a fixture


def shown(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    records: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(record["kind"], record["call_id"]) for record in records]


async def durable(journal: JournalWriter, storage: Fickle, call_id: str) -> None:
    """Write the completion of a call and wait until it is in the file."""
    journal.completed(a_completed(call_id))
    await journal.decided(a_decided(f"after-{call_id}"))
    assert storage.done


async def followed(watched: ShownRecords, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `watched` show what is there to be followed, and return."""
    ended = asyncio.Event()
    ended.set()
    monkeypatch.setattr(command, "ending", lambda: ended)
    await watched.follow()


async def test_a_record_added_between_the_last_ones_and_the_first_poll_is_shown_once(
    journal: JournalWriter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await journal.decided(a_decided("one"))
    watched = ShownRecords(journal.directory, Filter(), as_json=True)
    await journal.decided(a_decided("two"))
    watched.last(10)
    await journal.decided(a_decided("three"))
    await followed(watched, journal.directory, monkeypatch)
    assert shown(capsys) == [("decided", "one"), ("decided", "two"), ("decided", "three")]


async def test_the_completion_of_a_call_that_is_wanted_is_shown_although_it_comes_later(
    journal: JournalWriter, storage: Fickle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await journal.decided(a_decided("one", server="mail"))
    await journal.decided(a_decided("other"))
    watched = ShownRecords(journal.directory, Filter(server="mail"), as_json=True)
    watched.last(10)
    await durable(journal, storage, "one")
    await durable(journal, storage, "other")
    await followed(watched, journal.directory, monkeypatch)
    assert shown(capsys) == [("decided", "one"), ("completed", "one")]


async def test_a_damaged_line_is_named_on_standard_error_while_following(
    journal: JournalWriter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watched = ShownRecords(journal.directory, Filter(), as_json=True)
    name = f"{9:019}.w.{1:06}.jsonl"
    await asyncio.to_thread((journal.directory / name).write_bytes, b"no record\n")
    await followed(watched, journal.directory, monkeypatch)
    found = capsys.readouterr()
    assert (found.out, f"{name}, byte 0: 9 bytes are not a valid record" in found.err) == ("", True)
