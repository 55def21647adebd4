"""Access to the journal: modes and groups, and the errors if they cannot be set."""

import grp
import os
from pathlib import Path

import pytest

from gateway.admission.record import JournalFailure, Receipt
from gateway.journal import file_access
from gateway.journal.file_access import admit_to_journal, closed_parents, group_id, prepare
from gateway.journal.highest_policy_sequence import HighwaterFile
from gateway.journal.journal_options import JournalOptions
from gateway.journal.segment_names import segments
from gateway.journal.writer import JournalWriter
from tests.unit.journal.conftest import a_decided

OURS = grp.getgrgid(os.getgid()).gr_name


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def written(directory: Path, group: str) -> Receipt | JournalFailure:
    journal = JournalWriter(directory, JournalOptions(segment_bytes=65_536, group=group))
    journal.start()
    answer = await journal.decided(a_decided())
    await journal.close()
    return answer


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
async def test_a_group_may_read_the_directory_and_its_segments_and_write_nothing(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        answer = await written(tmp_path / "journal", OURS)
    finally:
        os.umask(before)
    assert isinstance(answer, Receipt)
    [(_, path)] = segments(tmp_path / "journal")
    assert (mode(tmp_path / "journal"), mode(path)) == (0o750, 0o640)
    assert path.stat().st_gid == os.getgid()


async def test_without_a_group_only_the_owner_may_read(tmp_path: Path) -> None:
    assert isinstance(await written(tmp_path / "journal", ""), Receipt)
    [(_, path)] = segments(tmp_path / "journal")
    assert (mode(tmp_path / "journal"), mode(path)) == (0o700, 0o600)


async def test_a_missing_group_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    answer = await written(tmp_path / "journal", "no-such-group")
    assert isinstance(answer, JournalFailure)
    assert "group `no-such-group` does not exist on this machine: create it with `groupadd" in answer.detail


async def test_segments_of_earlier_runs_are_given_to_the_group_too(tmp_path: Path) -> None:
    await written(tmp_path / "journal", "")
    admit_to_journal(tmp_path / "journal", OURS)
    [(_, path)] = segments(tmp_path / "journal")
    assert (mode(tmp_path / "journal"), mode(path)) == (0o750, 0o640)


async def test_other_files_keep_their_mode(tmp_path: Path) -> None:
    await written(tmp_path / "journal", OURS)
    HighwaterFile(tmp_path / "journal").raise_to("dev", 7)
    (tmp_path / "journal" / "digest.key").touch(mode=0o600)
    admit_to_journal(tmp_path / "journal", OURS)
    others = [path for path in (tmp_path / "journal").iterdir() if path.suffix != ".jsonl"]
    assert len(others) == 3
    assert {mode(path) for path in others} == {0o600}


async def test_a_group_accessible_directory_without_the_setting_is_refused(
    tmp_path: Path,
) -> None:
    await written(tmp_path / "journal", OURS)
    answer = await written(tmp_path / "journal", "")
    assert isinstance(answer, JournalFailure)
    with pytest.raises(
        PermissionError, match=r"mode 0750.*chmod 700 on it, or set `journal.group` to let a group read it"
    ):
        prepare(tmp_path / "journal")


@pytest.mark.parametrize("group", ["", OURS])
def test_a_directory_that_all_users_can_access_is_refused_or_closed(tmp_path: Path, group: str) -> None:
    (tmp_path / "journal").mkdir(mode=0o755)
    if group:
        prepare(tmp_path / "journal", group)
        assert mode(tmp_path / "journal") == 0o750
    else:
        with pytest.raises(PermissionError, match="other users can access it"):
            prepare(tmp_path / "journal")


def test_a_group_without_the_gateway_user_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another(_name: str) -> int:
        return os.getgid() + 1

    def denied(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", denied)
    monkeypatch.setattr(file_access, "group_id", another)
    with pytest.raises(PermissionError, match="run the gateway as a member of this group"):
        prepare(tmp_path / "journal", "siem")


def test_parent_directories_that_keep_the_group_out_are_found(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    (tmp_path / "closed" / "open").mkdir(mode=0o711)
    found = list(closed_parents(tmp_path / "closed" / "open" / "journal", OURS))
    assert tmp_path / "closed" in found
    assert tmp_path / "closed" / "open" not in found


def test_the_number_of_a_group_is_found() -> None:
    assert group_id(OURS) == os.getgid()
