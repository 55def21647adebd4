"""What tests need from a machine beyond this repository, and what was not run for want of it.

Rule 1: a test may be left out only through `@pytest.mark.environment(name)` with a name of the table;
any other skip fails.
Rule 2: what was left out is written to the file that $TEST_GAPS names, and `make test` ends by saying it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

ROOT: Final = Path(__file__).resolve().parent.parent
GAPS: Final = "TEST_GAPS"


class Need(Struct, frozen=True):
    """One thing that a machine may lack: whether it is there, and how to get it."""

    present: Callable[[], bool]
    remedy: str


def _docker() -> bool:
    """Whether an engine answers; the command asks it where the environment says that it is."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, timeout=30, check=False).returncode == 0


def _tmpfs() -> bool:
    """Whether this process may mount a small file system, to fill it."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as directory:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory], capture_output=True, check=False
        )
        if mounted.returncode == 0:
            subprocess.run(["umount", directory], check=True)
        return mounted.returncode == 0


NEEDS: Final[Mapping[str, Need]] = {
    "docker": Need(_docker, "no Docker engine answers (as root, .ci/run installs and starts one)"),
    "cargo": Need(lambda: shutil.which("cargo") is not None, "Rust's cargo is not installed"),
    "chromium": Need(
        lambda: shutil.which("chromium") is not None, "Chromium is not installed (on Debian: apt-get install chromium)"
    ),
    "mvn": Need(lambda: all(map(shutil.which, ("mvn", "javac"))), "Maven or a JDK is not installed"),
    "go": Need(lambda: shutil.which("go") is not None, "Go is not installed"),
    "node": Need((ROOT / "tests/node/node_modules/.bin/node").exists, "npm could not install tests/node (see above)"),
    "client1": Need((ROOT / ".venv-client1/bin/python").exists, "`make client1` did not run"),
    "root": Need(lambda: os.geteuid() == 0, "only root may run programs as another user"),
    "rsyslog": Need(Path("/usr/sbin/rsyslogd").exists, "rsyslog is not installed (as root, .ci/run installs it)"),
    "tmpfs": Need(_tmpfs, "only root may mount a tmpfs to fill"),
}


@cache
def lacking(name: str) -> str | None:
    """Why this machine cannot run what needs the named thing; None when it can."""
    need = NEEDS[name]
    return None if need.present() else need.remedy


def note(what: str, reason: str) -> None:
    """Write one gap to the file that `make test` reads at its end, where there is one."""
    path = os.environ.get(GAPS)
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{what}\t{reason}\n")


def summary(gaps: str) -> str:
    """All gaps of a run, written by `note`, in one line."""
    counted = Counter(line for line in gaps.splitlines() if line)
    if not counted:
        return "Everything was run on this machine."
    said: list[str] = []
    for line, times in counted.items():
        what, _, reason = line.partition("\t")
        said.append(f"{times} x {what}: {reason}" if times > 1 else f"{what}: {reason}")
    return f"Not run on this machine: {'; '.join(said)}."


if __name__ == "__main__":
    written = Path(sys.argv[1])
    print(summary(written.read_text(encoding="utf-8") if written.exists() else ""))  # noqa: T201  the last line of `make test`
