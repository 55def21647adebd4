"""The highest enforced revision only increases."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.highest_policy_sequence import FILE, HighwaterFile


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_the_initial_highest_sequence_is_zero(directory: Path) -> None:
    assert HighwaterFile(directory).seen("dev") == 0


def test_the_next_process_sees_a_raised_value(directory: Path) -> None:
    HighwaterFile(directory).raise_to("dev", 7)
    HighwaterFile(directory).raise_to("production", 3)
    assert (HighwaterFile(directory).seen("dev"), HighwaterFile(directory).seen("production")) == (7, 3)


def test_the_value_never_decreases(directory: Path) -> None:
    HighwaterFile(directory).raise_to("dev", 7)
    HighwaterFile(directory).raise_to("dev", 5)
    assert HighwaterFile(directory).seen("dev") == 7


def test_the_file_is_private(directory: Path) -> None:
    HighwaterFile(directory).raise_to("dev", 7)
    assert (directory / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"dev": "7"}', b'{"dev": 1.5}', b"\0\0\0"])
def test_a_damaged_file_is_an_error_that_names_it_and_never_a_zero(directory: Path, content: bytes) -> None:
    HighwaterFile(directory).raise_to("dev", 7)
    (directory / FILE).write_bytes(content)
    with pytest.raises(OSError, match="restore it") as caught:
        HighwaterFile(directory).seen("dev")
    assert caught.value.filename == str(directory / FILE)
    with pytest.raises(OSError, match="restore it"):
        HighwaterFile(directory).raise_to("dev", 8)


@given(content=st.binary(max_size=40))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    directory = tmp_path_factory.mktemp("journal")
    (directory / FILE).write_bytes(content)
    with contextlib.suppress(OSError):
        assert HighwaterFile(directory).seen("dev") == 0 or b"dev" in content


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        HighwaterFile(tmp_path / "file" / "journal").raise_to("dev", 1)


def test_several_processes_raise_concurrently_and_the_highest_remains(directory: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gateway.journal.highest_policy_sequence import HighwaterFile\n"
        "for seq in range(int(sys.argv[2]), 60, 3): HighwaterFile(Path(sys.argv[1])).raise_to(f'env{seq % 5}', seq)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(directory), str(first)]) for first in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert [HighwaterFile(directory).seen(f"env{n}") for n in range(5)] == [55, 56, 57, 58, 59]
