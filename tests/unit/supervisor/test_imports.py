"""A gateway that follows bundles loads nothing that builds or downloads them: it starts sooner, and stays smaller."""

import subprocess
import sys
from typing import Final

UNWANTED: Final = ("gateway.policy.build", "gateway.policy.source_watcher", "gateway.supervisor.local_policy", "httpx")


def test_the_supervisor_loads_no_builder_and_no_downloader() -> None:
    program = "import sys, gateway.supervisor.supervisor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "gateway.supervisor.bundle_followers" in loaded
    assert [name for name in UNWANTED if name in loaded] == []
