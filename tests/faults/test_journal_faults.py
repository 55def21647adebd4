"""The journal against real faults: a writer killed with -9, and a file system that is full."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.admission.record import JournalFailure, Receipt
from gateway.journal.journal_options import JournalOptions
from gateway.journal.reader import read
from gateway.journal.retention import seal_abandoned
from gateway.journal.segment_names import segments
from gateway.journal.writer import JournalWriter
from tests.unit.journal.conftest import a_completed, a_decided

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SPACE: Final = 4 << 20
WRITER: Final = """
import asyncio, sys
from pathlib import Path
from gateway.admission.record import Receipt
from gateway.journal.journal_options import JournalOptions
from gateway.journal.writer import JournalWriter
from tests.unit.journal.conftest import a_decided

async def calls(journal, task):
    for turn in range(100_000):
        call_id = f"{task}-{turn}"
        receipt = await journal.decided(a_decided(call_id))
        assert isinstance(receipt, Receipt), receipt
        print(receipt.writer, receipt.sequence, call_id, flush=True)

async def main():
    journal = JournalWriter(Path(sys.argv[1]), JournalOptions(segment_bytes=1 << 18), writer=sys.argv[2])
    journal.start()
    await asyncio.gather(*(calls(journal, task) for task in range(8)))

asyncio.run(main())
"""


@contextmanager
def started(directory: Path, writer: str) -> Generator[subprocess.Popen[str]]:
    """A process that writes as fast as it can and prints every receipt that it was given."""
    command = [sys.executable, "-c", WRITER, str(directory), writer]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def receipts_before_death(process: subprocess.Popen[str], count: int) -> set[tuple[str, int, str]]:
    """Kill the writer with -9 after `count` receipts, and return all that it printed whole."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.readlines()
    assert process.wait(60) == -signal.SIGKILL
    whole = (line.split() for line in lines if line.endswith("\n"))
    return {(writer, int(sequence), call_id) for writer, sequence, call_id in whole}


def in_journal(directory: Path) -> set[tuple[str, int, str]]:
    return {(record["writer"], record["sequence"], record["call_id"]) for record in read(directory)}


def test_every_receipt_that_a_killed_writer_gave_is_in_the_journal(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    with started(directory, "first") as process:
        receipts = receipts_before_death(process, 2_000)
    assert len(receipts) >= 2_000
    assert receipts <= in_journal(directory)
    with started(directory, "second") as process:
        receipts |= receipts_before_death(process, 200)
    assert receipts <= in_journal(directory)
    assert {name.writer for name, _ in segments(directory)} == {"first", "second"}


def test_what_a_killed_writer_left_is_sealed_without_losing_a_record(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    with started(directory, "first") as process:
        receipts_before_death(process, 100)
    before = in_journal(directory)
    assert seal_abandoned(directory)
    assert in_journal(directory) == before
    assert not any(path.read_bytes().endswith(b"\0") for _, path in segments(directory))


def mounted(directory: Path) -> str:
    """Mount a small file system there; return why it cannot be done, empty where it was."""
    library = ctypes.CDLL(None, use_errno=True)
    options = f"size={SPACE},mode=0700".encode()
    failed = library.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", 0, options)
    return os.strerror(ctypes.get_errno()) if failed else ""


@pytest.fixture
def small() -> Generator[Path]:
    """A file system of its own with room for a few segments."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        assert not mounted(directory)
        try:
            yield directory
        finally:
            assert ctypes.CDLL(None).umount2(os.fsencode(directory), 2) == 0


@pytest.fixture
async def journal(small: Path) -> AsyncIterator[JournalWriter]:
    made = JournalWriter(small / "journal", JournalOptions(segment_bytes=1 << 20, retry_s=0.02, linger_s=0.01))
    made.start()
    yield made
    await made.close()


def fill(directory: Path) -> Path:
    """Take all the space that is left."""
    path = directory / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return path
    return path


async def until_refused(journal: JournalWriter) -> tuple[list[str], str]:
    """Return the calls that were taken before one was refused, and why it was."""
    taken: list[str] = []
    for number in range(20_000):
        answer = await journal.decided(a_decided(f"call-{number}"))
        if isinstance(answer, JournalFailure):
            return taken, answer.detail
        taken.append(f"call-{number}")
    pytest.fail("the file system never filled")


async def until(journal: JournalWriter, *, failed: bool) -> None:
    async with asyncio.timeout(60):
        while bool(journal.state().failed) is not failed or journal.state().lag_s:
            await asyncio.to_thread(lambda: None)


@pytest.mark.environment("tmpfs")
async def test_on_a_full_file_system_nothing_is_admitted_and_calls_under_way_are_completed(
    small: Path, journal: JournalWriter
) -> None:
    first = await journal.decided(a_decided("under-way"))
    assert isinstance(first, Receipt)
    ballast = await asyncio.to_thread(fill, small)
    taken, why = await until_refused(journal)
    assert "No space left on device" in why
    assert journal.state().failed
    under_way = ["under-way", *taken[-50:]]
    for call_id in under_way:
        journal.completed(a_completed(call_id))
    await until(journal, failed=True)
    records = list(read(journal.directory))
    assert [record["call_id"] for record in records if record["kind"] == "completed"] == under_way
    assert [record["call_id"] for record in records if record["kind"] == "decided"] == ["under-way", *taken]

    await asyncio.to_thread(ballast.unlink)
    await until(journal, failed=False)
    assert isinstance(await journal.decided(a_decided("again")), Receipt)
    assert journal.state().lost == 0
    assert list(read(journal.directory))[-1]["call_id"] == "again"


@pytest.mark.environment("tmpfs")
async def test_a_journal_that_begins_on_a_full_file_system_recovers(small: Path) -> None:
    ballast = await asyncio.to_thread(fill, small)
    journal = JournalWriter(small / "journal", JournalOptions(segment_bytes=1 << 20, retry_s=0.02))
    journal.start()
    assert isinstance(await journal.decided(a_decided("early")), JournalFailure)
    await asyncio.to_thread(ballast.unlink)
    await until(journal, failed=False)
    assert isinstance(await journal.decided(a_decided("late")), Receipt)
    await journal.close()
    assert [record["call_id"] for record in read(journal.directory)] == ["late"]


@pytest.mark.environment("tmpfs")
async def test_where_a_whole_segment_has_no_room_a_smaller_one_is_begun(small: Path) -> None:
    journal = JournalWriter(small / "journal", JournalOptions(segment_bytes=64 << 20, retry_s=0.02))
    journal.start()
    assert isinstance(await journal.decided(a_decided()), Receipt)
    await journal.close()
