"""Started processes load only the packages of their profile.

A gateway that follows bundles and a hub load no policy sources, no checks and no authoring tools. A gateway in
development builds its own bundle, and loads no mutation testing, difference, what-if or replay. The processes report
each import themselves: PYTHONPROFILEIMPORTTIME, which the workers inherit.
"""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.fleets import fleet
from tests.running import running

URL: Final = "http://127.0.0.1:9/mcp"
IMPORT: Final = re.compile(r"^import time: +\d+ \| +\d+ \| +(gateway[\w.]*)$", re.MULTILINE)
AUTHORING: Final = ("gateway.authoring", "gateway.review")
BUILD: Final = "gateway.policy"
WORKER: Final = "gateway.supervisor.worker_main"


@pytest.fixture(autouse=True)
def _imports_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")


def loaded(log: Path) -> set[str]:
    """Return the modules of the gateway that the processes of a log imported."""
    return set(IMPORT.findall(log.read_text(encoding="utf-8")))


def within(modules: set[str], *packages: str) -> list[str]:
    return sorted(name for name in modules for package in packages if f"{name}.".startswith(f"{package}."))


async def test_a_following_gateway_and_a_hub_load_no_sources_and_no_authoring_tools(tmp_path: Path) -> None:
    async with fleet(tmp_path, {"demo": URL}, 1) as made:
        (gateway,) = made.gateways
        following, hub = loaded(gateway.log), loaded(made.hub.log)
    assert WORKER in following
    assert "gateway.follow.follower" in following
    assert "gateway.hub.app" in hub
    assert within(following | hub, BUILD, *AUTHORING) == []


async def test_a_gateway_in_development_builds_and_loads_no_authoring_tools(tmp_path: Path) -> None:
    async with running(tmp_path, servers={"demo": URL}) as gateway:
        modules = loaded(gateway.log)
    assert WORKER in modules
    assert f"{BUILD}.build" in modules
    assert within(modules, *AUTHORING) == []
