"""A change in a directory is noticed by inotify, and by periodic checks without it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.supervisor import inotify as module
from gateway.supervisor.inotify import DirectoryNotifier, noticing

PATIENCE_S = 30


@pytest.fixture
def rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make checks so rare that only inotify can be in time."""
    monkeypatch.setattr(module, "TOLD_LOOK_S", 3600)


async def noticed(notice: DirectoryNotifier, change: Callable[[], object]) -> None:
    """Make a change during a wait, and return when it is noticed."""
    await asyncio.wait_for(notice.change(), PATIENCE_S)  # the first look comes at once
    waiting = asyncio.create_task(notice.change())
    await asyncio.sleep(0)  # noqa: TID251 - lets it begin to wait
    assert not waiting.done()
    await asyncio.to_thread(change)
    await asyncio.wait_for(waiting, PATIENCE_S)


@pytest.mark.usefixtures("rarely")
async def test_inotify_reports_replaced_written_and_removed_files(tmp_path: Path) -> None:
    file, fresh = tmp_path / "stops.json", tmp_path / "stops.new"
    fresh.write_text("x", encoding="ascii")
    changes: tuple[Callable[[], object], ...] = (
        lambda: fresh.replace(file),
        lambda: file.write_bytes(b"y"),
        file.unlink,
    )
    for change in changes:
        with noticing(tmp_path) as notice:
            await noticed(notice, change)


@pytest.mark.usefixtures("rarely")
async def test_a_change_before_the_wait_is_noticed(tmp_path: Path) -> None:
    with noticing(tmp_path) as notice:
        await asyncio.wait_for(notice.change(), PATIENCE_S)
        (tmp_path / "stops.json").touch()
        await asyncio.wait_for(notice.change(), PATIENCE_S)


@pytest.mark.usefixtures("rarely")
async def test_a_directory_that_comes_later_or_again_is_watched_then(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    with noticing(directory) as notice:
        for _ in range(2):
            await asyncio.wait_for(notice.change(), PATIENCE_S)
            directory.mkdir()
            await noticed(notice, (directory / "stops.json").touch)
            (directory / "stops.json").unlink()
            directory.rmdir()


async def test_checks_are_frequent_without_inotify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "platform", "elsewhere")
    with noticing(tmp_path) as notice:
        for _ in range(3):
            await asyncio.wait_for(notice.change(), PATIENCE_S)


async def test_checks_are_rare_if_nothing_changes(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    with noticing(tmp_path) as notice:
        await asyncio.wait_for(notice.change(), PATIENCE_S)
        began = loop.time()
        await asyncio.wait_for(notice.change(), PATIENCE_S)
        assert loop.time() - began >= module.TOLD_LOOK_S * 0.9


@pytest.mark.usefixtures("rarely")
async def test_a_change_at_the_end_does_not_prevent_the_end(tmp_path: Path) -> None:
    with noticing(tmp_path) as notice:
        await asyncio.wait_for(notice.change(), PATIENCE_S)
        waiting = asyncio.create_task(notice.change())
        for _ in range(3):
            await asyncio.sleep(0)  # noqa: TID251 - lets it begin to wait
        notice._changed.set()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
