"""Files are replaced and created whole or not at all, durably, and locks exclude."""

import os
import threading
from pathlib import Path

import pytest

from gateway.durable_files import create, locked, replace


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_created_and_replaced_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "stops.json"
    replace(path, b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    replace(path, b"two", mode=0o640)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o666)
    replace(path, b"three", mode=None)
    assert path.stat().st_mode & 0o777 == 0o666
    assert names(tmp_path) == ["stops.json"]


def test_a_file_that_exists_is_not_created_again(tmp_path: Path) -> None:
    path = tmp_path / "key"
    create(path, b"first")
    with pytest.raises(FileExistsError):
        create(path, b"second")
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["key"]


@pytest.mark.parametrize("change", [replace, create])
def test_the_file_and_its_name_are_synced_in_this_order(
    change: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append("directory" if Path(f"/proc/self/fd/{descriptor}").resolve() == tmp_path else "file")

    monkeypatch.setattr(os, "fsync", fsync)
    assert callable(change)
    change(tmp_path / "x", b"1")
    assert synced == ["file", "directory"]


@pytest.mark.parametrize("change", [replace, create])
def test_a_failed_write_changes_nothing_and_leaves_nothing(
    change: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert callable(change)
    with pytest.raises(OSError, match="No space left"):
        change(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    (tmp_path / "x").symlink_to(outside)
    replace(tmp_path / "x", b"new")
    assert outside.read_bytes() == b"kept"
    assert not (tmp_path / "x").is_symlink()


def test_a_lock_excludes_other_threads(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(50):
            with locked(tmp_path / ".lock"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 200
    assert set(most) == {1}
