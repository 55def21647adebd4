"""The hub process: an ended background task is logged."""

import asyncio
import signal
from pathlib import Path

import pytest

from gateway.hub.config_reload import ConfigReloader
from gateway.hub.directory_watcher import HubDirectoryWatcher
from gateway.hub.serve import serve
from gateway.hub.settings import HubSettings, load
from tests.hubs import ground
from tests.unit.opa.support import Log, until


@pytest.mark.parametrize("which", [HubDirectoryWatcher, ConfigReloader])
async def test_a_failed_watcher_is_logged_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: type
) -> None:
    async def broken(_self: object) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr(which, "look", broken)
    monkeypatch.setattr(f"{which.__module__}.LOOK_S", 0)
    settings, log = load(ground(tmp_path).settings), Log()
    assert isinstance(settings, HubSettings)
    serving = asyncio.create_task(serve(settings, log))
    await until(lambda: bool(log.named("directory_watch_failed")))
    signal.raise_signal(signal.SIGTERM)
    assert await serving == 0
    (told,) = log.named("directory_watch_failed")
    assert "odd" in str(told["error"])
    assert "restart the hub" in str(told["remedy"])
