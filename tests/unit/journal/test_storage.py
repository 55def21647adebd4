"""The file operations: their system calls, and the state after an error."""

import ctypes
import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.journal.storage import Disk


class Kernel:
    """A fake that records the requested writes and returns the given results."""

    def __init__(self, most: int = 1 << 30, error: int = 0) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self._most = most
        self._error = error
        self._pwritev = os.pwritev

    def pwritev(self, descriptor: int, buffers: Sequence[memoryview], offset: int, flags: int) -> int:
        self.asked.append((len(buffers[0]), offset, flags))
        if self._error:
            raise OSError(self._error, os.strerror(self._error))
        return self._pwritev(descriptor, [buffers[0][: self._most]], offset, flags)


def test_a_durable_write_is_one_call_that_returns_when_the_device_has_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel()
    monkeypatch.setattr(os, "pwritev", kernel.pwritev)
    descriptor = Disk().create(tmp_path / "s", 4096)
    Disk().write(descriptor, b"record\n", 0, durable=True)
    Disk().write(descriptor, b"another\n", 7, durable=False)
    os.close(descriptor)
    assert kernel.asked == [(7, 0, os.RWF_DSYNC), (8, 7, 0)]
    assert (tmp_path / "s").read_bytes() == b"record\nanother\n"


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(most=3)
    monkeypatch.setattr(os, "pwritev", kernel.pwritev)
    descriptor = Disk().create(tmp_path / "s", 4096)
    Disk().write(descriptor, b"record\n", 5, durable=True)
    os.close(descriptor)
    assert [(size, offset) for size, offset, _ in kernel.asked] == [(7, 5), (4, 8), (1, 11)]
    assert (tmp_path / "s").read_bytes()[5:12] == b"record\n"


def test_a_file_system_without_rwf_dsync_gets_a_write_and_a_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "pwritev", Kernel(error=errno.EOPNOTSUPP).pwritev)
    monkeypatch.setattr(os, "fdatasync", synced.append)
    descriptor = Disk().create(tmp_path / "s", 4096)
    Disk().write(descriptor, b"record\n", 0, durable=True)
    os.close(descriptor)
    assert synced == [descriptor]
    assert (tmp_path / "s").read_bytes().startswith(b"record\n")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_an_error_is_raised_without_a_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    kernel = Kernel(error=code)
    monkeypatch.setattr(os, "pwritev", kernel.pwritev)
    descriptor = Disk().create(tmp_path / "s", 4096)
    with pytest.raises(OSError, match=os.strerror(code)):
        Disk().write(descriptor, b"record\n", 0, durable=True)
    os.close(descriptor)
    assert len(kernel.asked) == 1


def test_a_segment_that_cannot_be_allocated_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"large|space"):
        Disk().create(tmp_path / "s", 1 << 62)
    assert list(tmp_path.iterdir()) == []


def test_a_segment_is_never_written_over_and_never_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("s", "link"):
        with pytest.raises(FileExistsError):
            Disk().create(tmp_path / name, 4096)
    assert (tmp_path / "s").read_bytes() == b"old"


def test_an_open_segment_is_locked_and_a_sealed_one_is_not(tmp_path: Path) -> None:
    descriptor = Disk().create(tmp_path / "s", 4096)
    with (tmp_path / "s").open("rb") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        Disk().seal(descriptor, 10)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert (tmp_path / "s").stat().st_size == 10


def test_a_segment_reserves_its_space_and_its_length_is_the_written_bytes(tmp_path: Path) -> None:
    descriptor = Disk().create(tmp_path / "s", 1 << 20)
    created = os.fstat(descriptor)
    assert (created.st_size, created.st_blocks * 512) == (0, 1 << 20)
    Disk().write(descriptor, b"record\n", 0, durable=True)
    assert (tmp_path / "s").read_bytes() == b"record\n"
    Disk().seal(descriptor, 7)
    assert (tmp_path / "s").stat().st_blocks * 512 < 1 << 16


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOSPC, errno.EINTR])
def test_a_file_system_without_fallocate_is_used_and_a_full_one_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    asked: list[tuple[int, ...]] = []

    def fallocate(*asking: int) -> int:
        asked.append(asking[1:])
        ctypes.set_errno(code)
        return -1 if code != errno.EINTR or len(asked) == 1 else 0

    def library(*_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(fallocate=fallocate)

    monkeypatch.setattr(ctypes, "CDLL", library)
    if code == errno.ENOSPC:
        with pytest.raises(OSError, match="No space left"):
            Disk().create(tmp_path / "s", 4096)
        assert list(tmp_path.iterdir()) == []
        return
    descriptor = Disk().create(tmp_path / "s", 4096)
    Disk().write(descriptor, b"record\n", 0, durable=True)
    os.close(descriptor)
    assert (tmp_path / "s").read_bytes() == b"record\n"
    assert asked == [(1, 0, 4096)] * (2 if code == errno.EINTR else 1)
