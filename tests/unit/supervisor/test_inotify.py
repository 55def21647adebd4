"""A change in a directory is noticed by the kernel's word, and by looking where it gives none."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.supervisor import inotify as module
from gateway.supervisor.inotify import DirectoryNotifier, noticing

PATIENCE_S = 30


@pytest.fixture
def rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the kernel's word can be in time."""
    monkeypatch.setattr(module, "TOLD_LOOK_S", 3600)


async def noticed(notice: DirectoryNotifier, change: Callable[[], object]) -> None:
    """Wait for a change that is made while it is waited for."""
    await asyncio.wait_for(notice.change(), PATIENCE_S)  # the first look comes at once
    waiting = asyncio.create_task(notice.change())
    await asyncio.sleep(0)  # noqa: TID251 - lets it begin to wait
    assert not waiting.done()
    await asyncio.to_thread(change)
    await asyncio.wait_for(waiting, PATIENCE_S)


@pytest.mark.usefixtures("rarely")
async def test_what_is_replaced_written_or_removed_is_noticed_without_looking(tmp_path: Path) -> None:
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
async def test_what_changed_before_it_was_waited_for_is_noticed(tmp_path: Path) -> None:
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


async def test_where_the_kernel_tells_nothing_it_is_looked_for_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.sys, "platform", "elsewhere")
    with noticing(tmp_path) as notice:
        for _ in range(3):
            await asyncio.wait_for(notice.change(), PATIENCE_S)


async def test_where_nothing_changes_it_is_looked_for_rarely(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    with noticing(tmp_path) as notice:
        await asyncio.wait_for(notice.change(), PATIENCE_S)
        began = loop.time()
        await asyncio.wait_for(notice.change(), PATIENCE_S)
        assert loop.time() - began >= module.TOLD_LOOK_S * 0.9


@pytest.mark.usefixtures("rarely")
async def test_a_change_at_the_very_end_keeps_nobody_from_ending(tmp_path: Path) -> None:
    with noticing(tmp_path) as notice:
        await asyncio.wait_for(notice.change(), PATIENCE_S)
        waiting = asyncio.create_task(notice.change())
        for _ in range(3):
            await asyncio.sleep(0)  # noqa: TID251 - lets it begin to wait
        notice._changed.set()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
