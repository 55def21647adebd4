"""A sequence number is never issued twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.policy.sequence import next_sequence


def test_numbers_grow_from_one_in_each_environment(tmp_path: Path) -> None:
    assert [next_sequence(tmp_path, "dev") for _ in range(3)] == [1, 2, 3]
    assert next_sequence(tmp_path, "production") == 1


def test_a_lost_counter_goes_on_above_what_was_enforced(tmp_path: Path) -> None:
    assert next_sequence(tmp_path, "dev", above=41) == 42
    assert next_sequence(tmp_path, "dev", above=7) == 43


def test_a_missing_directory_is_created(tmp_path: Path) -> None:
    assert next_sequence(tmp_path / "a" / "b", "dev") == 1
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["x", "-3", "1.5", "1 2"])
def test_a_damaged_counter_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dev.seq").write_text(text)
    with pytest.raises(ValueError, match="does not contain a number"):
        next_sequence(tmp_path, "dev")


def test_builds_at_the_same_time_get_different_numbers(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(next_sequence, [tmp_path] * 40, ["dev"] * 40))
    assert sorted(numbers) == list(range(1, 41))
