"""The writer: records are durable before their effect, share commits, and failures are reported."""

import asyncio
import errno
from pathlib import Path

import orjson
import pytest

from gateway.admission.record import JournalFailure, Receipt, Refused
from gateway.journal.journal_options import JournalOptions
from gateway.journal.reader import read
from gateway.journal.segment_names import segments
from gateway.journal.writer import JournalWriter, writer_name
from tests.unit.journal.conftest import SMALL, Fickle, a_completed, a_decided


async def until(condition: object) -> None:
    """Let the loop run until `condition()` holds."""
    assert callable(condition)
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.to_thread(lambda: None)


def on_disk(directory: Path) -> list[bytes]:
    return [line for _, path in segments(directory) for line in path.read_bytes().split(b"\0")[0].splitlines()]


async def test_a_receipt_comes_after_the_durable_write_and_not_before(journal: JournalWriter, storage: Fickle) -> None:
    storage.open.clear()
    waiting = asyncio.ensure_future(journal.decided(a_decided()))
    await until(lambda: journal.state().lag_s > 0)
    assert not waiting.done()
    storage.open.set()
    receipt = await waiting
    assert receipt == Receipt(writer="w1", sequence=1)
    assert storage.done == [("write", 1, True)]
    assert orjson.loads(on_disk(journal.directory)[0])["call_id"] == "call-1"


async def test_entries_that_arrive_during_a_commit_join_the_next_one(journal: JournalWriter, storage: Fickle) -> None:
    storage.open.clear()
    first = asyncio.ensure_future(journal.decided(a_decided("call-0")))
    await until(lambda: journal.state().lag_s > 0 and journal.idle)
    rest = [asyncio.ensure_future(journal.decided(a_decided(f"call-{n}"))) for n in range(1, 9)]
    await until(lambda: journal.state().lag_s > 0)
    storage.open.set()
    receipts = await asyncio.gather(first, *rest)
    assert [receipt.sequence for receipt in receipts if isinstance(receipt, Receipt)] == list(range(1, 10))
    assert [count for _, count, _ in storage.done] == [1, 8]


async def test_the_event_loop_is_woken_once_per_commit(
    journal: JournalWriter, storage: Fickle, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    woken: list[object] = []
    call_soon_threadsafe = loop.call_soon_threadsafe

    def counted(callback: object, *args: object, **kwargs: object) -> object:
        woken.append(callback)
        return call_soon_threadsafe(callback, *args, **kwargs)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    await asyncio.gather(*(journal.decided(a_decided(f"call-{n}")) for n in range(50)))
    assert len(woken) == len(storage.done)


async def test_a_completion_is_not_waited_for_and_joins_a_later_commit(journal: JournalWriter) -> None:
    await journal.decided(a_decided())
    journal.completed(a_completed())
    await journal.close()
    assert [record["kind"] for record in read(journal.directory)] == ["decided", "completed"]


async def test_process_durability_does_not_wait_for_the_device(tmp_path: Path, storage: Fickle) -> None:
    journal = JournalWriter(tmp_path / "j", JournalOptions(durability="process", segment_bytes=65_536), storage=storage)
    journal.start()
    assert isinstance(await journal.decided(a_decided()), Receipt)
    await journal.close()
    assert storage.done == [("write", 1, False)]


async def test_segments_are_private_and_named_after_writer_sequence_and_time(journal: JournalWriter) -> None:
    await journal.decided(a_decided())
    [(name, path)] = segments(journal.directory)
    assert (name.writer, name.number) == ("w1", 1)
    assert path.stat().st_mode & 0o777 == 0o600
    assert journal.directory.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_blocks * 512 >= SMALL.segment_bytes
    assert path.read_bytes().count(b"\n") == 1


async def test_a_clean_close_cuts_the_segment_to_its_length(journal: JournalWriter) -> None:
    await journal.decided(a_decided())
    await journal.close()
    [(_, path)] = segments(journal.directory)
    assert path.read_bytes().endswith(b"}\n")


async def test_a_directory_that_other_users_can_access_is_refused_with_a_remedy(tmp_path: Path) -> None:
    await asyncio.to_thread(tmp_path.chmod, 0o755)
    journal = JournalWriter(tmp_path, SMALL)
    journal.start()
    failure = await journal.decided(a_decided())
    assert isinstance(failure, JournalFailure)
    assert "chmod 700" in failure.detail
    await asyncio.to_thread(tmp_path.chmod, 0o700)
    await until(lambda: not journal.state().failed)
    assert isinstance(await journal.decided(a_decided()), Receipt)
    await journal.close()


async def test_a_failed_write_seals_the_segment_and_the_next_record_goes_into_a_new_one(
    journal: JournalWriter, storage: Fickle
) -> None:
    await journal.decided(a_decided("before"))
    storage.fail_once()
    failure = await journal.decided(a_decided("during"))
    assert isinstance(failure, JournalFailure)
    assert "cannot write" in failure.detail
    assert isinstance(await journal.decided(a_decided("after")), Receipt)
    assert [name.number for name, _ in segments(journal.directory)] == [1, 2]
    kinds = [(record["kind"], record.get("call_id")) for record in read(journal.directory)]
    assert kinds == [("decided", "before"), ("voided", None), ("decided", "after")]


async def test_a_failed_segment_is_never_written_again_even_without_a_new_one(
    journal: JournalWriter, storage: Fickle
) -> None:
    await journal.decided(a_decided("before"))
    storage.create_error = errno.ENOSPC
    storage.fail_once()
    assert isinstance(await journal.decided(a_decided("during")), JournalFailure)
    journal.completed(a_completed("before"))
    assert isinstance(await journal.decided(a_decided("after")), JournalFailure)
    storage.create_error = 0
    await until(lambda: not journal.state().failed and not journal.state().lag_s)
    await journal.close()
    assert [(record["kind"], record.get("call_id")) for record in read(journal.directory)] == [
        ("decided", "before"),
        ("voided", None),
        ("completed", "before"),
    ]


async def test_waiting_entries_are_written_before_later_decisions(tmp_path: Path, storage: Fickle) -> None:
    journal = JournalWriter(tmp_path / "j", JournalOptions(segment_bytes=65_536, retry_s=60), storage=storage)
    journal.start()
    await journal.decided(a_decided("one"))
    journal.completed(a_completed("one"))
    storage.fail_once()
    assert isinstance(await journal.decided(a_decided("two")), JournalFailure)
    assert isinstance(await journal.decided(a_decided("three")), Receipt)
    said = [(record["kind"], record.get("call_id")) for record in read(journal.directory)]
    assert said == [("decided", "one"), ("voided", None), ("completed", "one"), ("decided", "three")]
    await journal.close()


async def test_a_record_during_the_end_of_the_writer_is_refused_at_once(
    journal: JournalWriter, storage: Fickle
) -> None:
    storage.open.clear()
    journal._committer.ended = True
    async with asyncio.timeout(SMALL.deadline_s / 2):
        assert isinstance(await journal.decided(a_decided()), JournalFailure)


async def test_a_completion_in_a_failed_commit_is_written_later(journal: JournalWriter, storage: Fickle) -> None:
    await journal.decided(a_decided("one"))
    storage.open.clear()
    doomed = asyncio.ensure_future(journal.decided(a_decided("two")))
    await until(lambda: journal.state().lag_s > 0)
    journal.completed(a_completed("one"))
    storage.fail_once()
    storage.open.set()
    await doomed
    await until(lambda: not journal.state().failed and not journal.state().lag_s)
    await journal.close()
    assert ("completed", "one") in [(record["kind"], record.get("call_id")) for record in read(journal.directory)]


async def test_a_full_disk_fails_first_records_and_keeps_second_ones_until_it_recovers(
    journal: JournalWriter, storage: Fickle
) -> None:
    storage.create_error = errno.ENOSPC
    taken: list[str] = []
    for number in range(2_000):
        answer = await journal.decided(a_decided(f"call-{number}"))
        if isinstance(answer, JournalFailure):
            assert "cannot create" in answer.detail
            break
        taken.append(f"call-{number}")
    else:
        pytest.fail("the segment never filled")
    assert journal.state().failed
    for call_id in taken[:40]:
        journal.completed(a_completed(call_id))
    await until(lambda: not journal.state().lag_s)
    completed = [r["call_id"] for r in read(journal.directory) if r["kind"] == "completed"]
    assert completed == taken[:40]
    storage.create_error = 0
    await until(lambda: not journal.state().failed)
    assert isinstance(await journal.decided(a_decided("again")), Receipt)


async def test_a_full_queue_refuses_at_once(tmp_path: Path, storage: Fickle) -> None:
    journal = JournalWriter(tmp_path / "j", JournalOptions(segment_bytes=65_536, queue=2), storage=storage)
    journal.start()
    storage.open.clear()
    waiting = [asyncio.ensure_future(journal.decided(a_decided(f"c{n}"))) for n in range(2)]
    await until(lambda: journal.state().lag_s > 0)
    refusal = await journal.decided(a_decided("c3"))
    assert isinstance(refusal, JournalFailure)
    storage.open.set()
    assert all(isinstance(receipt, Receipt) for receipt in await asyncio.gather(*waiting))
    assert isinstance(await journal.decided(a_decided("c4")), Receipt)
    await journal.close()


async def test_only_an_oversized_or_unserializable_record_fails(journal: JournalWriter) -> None:
    answers = await asyncio.gather(
        journal.decided(a_decided("\ud800")),
        journal.decided(a_decided("x" * 200_000)),
        journal.decided(a_decided("good")),
    )
    assert [type(answer) for answer in answers] == [JournalFailure, JournalFailure, Receipt]


async def test_segments_rotate_by_size(journal: JournalWriter) -> None:
    for number in range(40):
        await journal.decided(a_decided(f"c{number}", server="x" * 10_000))
    assert [name.number for name, _ in segments(journal.directory)] == [1, 2]
    assert [record["call_id"] for record in read(journal.directory)] == [f"c{n}" for n in range(40)]


async def test_segments_rotate_by_age_without_traffic(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "j", JournalOptions(segment_bytes=65_536, segment_age_s=0.02))
    journal.start()
    await journal.decided(a_decided())
    await until(lambda: len(segments(tmp_path / "j")) == 2)
    await journal.close()


async def test_an_allow_whose_caller_disconnected_is_recorded_as_not_forwarded(
    journal: JournalWriter, storage: Fickle
) -> None:
    storage.open.clear()
    waiting = asyncio.ensure_future(journal.decided(a_decided("gone")))
    await until(lambda: journal.state().lag_s > 0)
    waiting.cancel()
    storage.open.set()
    assert isinstance(await journal.decided(a_decided("next", "deny")), Receipt)
    await journal.close()
    said = [(record["call_id"], record["outcome"]) for record in read(journal.directory)]
    assert sorted(said) == [("gone", "allow"), ("gone", "not_forwarded"), ("next", "deny")]


async def test_a_hanging_device_does_not_block_the_callers(tmp_path: Path, storage: Fickle) -> None:
    journal = JournalWriter(tmp_path / "j", JournalOptions(segment_bytes=65_536, deadline_s=0.04), storage=storage)
    journal.start()
    storage.open.clear()
    refusal = await journal.decided(a_decided("stuck"))
    assert isinstance(refusal, JournalFailure)
    assert "no record could be written" in refusal.detail
    assert journal.state().failed
    storage.open.set()
    await until(lambda: not journal.state().failed)
    assert isinstance(await journal.decided(a_decided("next", "deny")), Receipt)
    await journal.close()
    said = [(record["call_id"], record["outcome"]) for record in read(tmp_path / "j")]
    assert sorted(said) == [("next", "deny"), ("stuck", "allow"), ("stuck", "not_forwarded")]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_the_death_of_the_writer_fails_all_waiting_records(tmp_path: Path) -> None:
    class Broken(Fickle):
        def write(self, descriptor: int, data: bytes, offset: int, *, durable: bool) -> None:
            assert self.open.wait(60)
            raise RuntimeError("no storage does this")

    storage = Broken()
    storage.open.clear()
    journal = JournalWriter(tmp_path / "j", SMALL, storage=storage)
    journal.start()
    waiting = [asyncio.ensure_future(journal.decided(a_decided(f"call-{n}"))) for n in range(3)]
    await until(lambda: journal.state().lag_s > 0)
    storage.open.set()
    async with asyncio.timeout(SMALL.deadline_s / 2):
        assert {type(answer) for answer in await asyncio.gather(*waiting)} == {JournalFailure}
        assert isinstance(await journal.decided(a_decided("later")), JournalFailure)
    assert journal.state().failed
    await journal.close()


async def test_many_first_records_do_not_displace_second_ones(tmp_path: Path, storage: Fickle) -> None:
    journal = JournalWriter(tmp_path / "j", JournalOptions(segment_bytes=65_536, queue=3), storage=storage)
    journal.start()
    await journal.decided(a_decided("under-way"))
    storage.open.clear()
    flood = [asyncio.ensure_future(journal.decided(a_decided(f"c{n}"))) for n in range(5)]
    await until(lambda: journal.state().lag_s > 0)
    journal.completed(a_completed("under-way"))
    storage.open.set()
    assert sum(isinstance(answer, Receipt) for answer in await asyncio.gather(*flood)) == 3
    await journal.close()
    assert journal.state().lost == 0
    assert ("completed", "under-way") in [(r["kind"], r["call_id"]) for r in read(tmp_path / "j")]


async def test_the_journal_refuses_records_before_start_and_after_close(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "j", SMALL)
    assert isinstance(await journal.decided(a_decided()), JournalFailure)
    journal.start()
    await journal.close()
    assert isinstance(await journal.decided(a_decided()), JournalFailure)
    assert journal.state().failed


async def test_the_state_has_the_space_the_budget_and_the_segments(journal: JournalWriter) -> None:
    await journal.decided(a_decided())
    state = journal.state()
    assert state.segments == 1
    assert state.space_used >= SMALL.segment_bytes
    assert state.budget == SMALL.keep_bytes
    assert not state.warns


async def test_a_refusal_without_a_decision_is_durable_too(journal: JournalWriter) -> None:
    refused = Refused(call_id="c", time="", unix_ns=1, monotonic_ns=1, code="malformed", source_ip="192.0.2.1")
    assert isinstance(await journal.refused(refused), Receipt)
    assert next(read(journal.directory))["code"] == "malformed"


def test_writer_names_are_unique_and_fit_in_a_file_name() -> None:
    assert writer_name("worker/0 ü") != writer_name("worker/0 ü")
    assert writer_name("worker/0").startswith("worker-0-")


async def test_each_unwritten_record_is_reported_with_the_reason(journal: JournalWriter, storage: Fickle) -> None:
    failures: list[str] = []
    journal.on_failure = failures.append
    await journal.decided(a_decided("written"))
    assert failures == []
    storage.create_error = errno.ENOSPC
    storage.fail_once(errno.ENOSPC)
    assert isinstance(await journal.decided(a_decided("first")), JournalFailure)
    assert isinstance(await journal.decided(a_decided("second")), JournalFailure)
    assert len(failures) == 2
    assert "cannot" in failures[-1]
