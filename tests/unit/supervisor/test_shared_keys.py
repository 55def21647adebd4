"""The keys that all workers share: created once, and never replaced."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.supervisor.shared_keys import DIGEST_BYTES, SEALING_BYTES, KeyProblem, Keys, read_keys


def keys(directory: Path) -> Keys:
    found = read_keys(directory / "sealing", directory / "journal")
    assert isinstance(found, Keys)
    return found


def test_missing_keys_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    first = keys(tmp_path)
    assert ([len(key) for key in first.sealing], len(first.digest)) == ([SEALING_BYTES], DIGEST_BYTES)
    assert keys(tmp_path) == first
    for path in (tmp_path / "sealing" / "current", tmp_path / "journal" / "digest.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert list(path.parent.iterdir()) == [path]


def test_the_previous_key_opens_in_addition_to_the_current_one(tmp_path: Path) -> None:
    (tmp_path / "sealing").mkdir()
    (tmp_path / "sealing" / "current").write_bytes(b"c" * SEALING_BYTES)
    (tmp_path / "sealing" / "previous").write_bytes(b"p" * SEALING_BYTES)
    assert keys(tmp_path).sealing == (b"c" * SEALING_BYTES, b"p" * SEALING_BYTES)


@pytest.mark.parametrize("name", ["sealing/current", "sealing/previous", "journal/digest.key"])
@pytest.mark.parametrize("content", [b"", b"short", b"x" * 65])
def test_a_damaged_key_is_a_problem_that_names_the_file_and_is_not_replaced(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_bytes(content)
    found = read_keys(tmp_path / "sealing", tmp_path / "journal")
    assert isinstance(found, KeyProblem)
    assert str(path) in found.message
    assert path.read_bytes() == content


def test_a_directory_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "sealing").write_text("a file")
    found = read_keys(tmp_path / "sealing", tmp_path / "journal")
    assert isinstance(found, KeyProblem)
    assert "sealing" in found.message


def test_gateways_that_start_together_agree_on_the_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(keys, [tmp_path] * 32))
    assert len({(one.sealing, one.digest) for one in found}) == 1
