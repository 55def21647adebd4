"""The OPA binary: the pinned version, its path and its download.

Rule 1: the version is pinned here and nowhere else. A binary is used only after it has reported that version.
Rule 2: the binary is fetched once, under a lock, and appears in the tool directory complete or not at all.
Rule 3: OPA before 1.21.3 accepts bundles with their signature removed (GHSA-g2pf-6v5v-qcc8) and is always refused.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.opa import binary_sources

VERSION: Final = "1.22.0"
OLDEST: Final = (1, 21, 3)
NAME: Final = f"opa-{VERSION}"
REPLY_SECONDS: Final = 20

Report = Callable[[str], None]


class Unobtainable(RuntimeError):  # noqa: N818  the name describes OPA's state
    """OPA could not be obtained; the message lists the attempts and says what to do."""


def tools() -> Path:
    """Return the directory for pinned programs: $MCP_ADMISSION_TOOLS, or a subdirectory of the user's cache."""
    chosen = os.environ.get("MCP_ADMISSION_TOOLS")
    if chosen:
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "mcp-admission" / "tools"


def version(path: Path) -> str | None:
    """Return the version that a binary reports, or None if it does not run or reports none."""
    try:
        said = subprocess.run(
            [path, "version"], capture_output=True, text=True, timeout=REPLY_SECONDS, env={}, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    named = re.search(r"^Version: (\S+)$", said.stdout, re.MULTILINE)
    return named[1] if said.returncode == 0 and named else None


def refusal(named: str | None) -> str | None:
    """Return the reason for refusing an OPA of this version, ready to be shown, or None if it may be used."""
    numbers = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(\+\S+)?", named or "")
    if numbers is None:
        return f"OPA reports version {named!r}, which is not a release: use {VERSION}"
    if (int(numbers[1]), int(numbers[2]), int(numbers[3])) >= OLDEST:
        return None
    least = ".".join(map(str, OLDEST))
    return f"OPA {named} accepts unsigned bundles (GHSA-g2pf-6v5v-qcc8): use {VERSION}, or at least {least}"


def find() -> Path | None:
    """Return OPA at exactly the pinned version, from PATH or the tool directory, or None if it is not there."""
    on_path = shutil.which("opa")
    for candidate in (Path(on_path) if on_path else None, tools() / NAME):
        if candidate and version(candidate) == VERSION:
            return candidate.absolute()
    return None


def obtain(report: Report, *, releases: str = binary_sources.RELEASES) -> Path:
    """Return OPA at the pinned version, fetching it if needed. Raises `Unobtainable` with the failed attempts."""
    found = find()
    if found:
        return found
    directory = tools()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(directory, report):
        # Another process may have fetched it during the wait.
        return find() or _fetch(directory, report, releases)


@contextmanager
def _alone(directory: Path, report: Report) -> Generator[None]:
    """Hold the lock of this directory while the block runs, so that only one process fetches."""
    with (directory / "opa.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("Another process is obtaining OPA; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(directory: Path, report: Report, releases: str) -> Path:
    """Try each source in a scratch directory and keep the first binary of the pinned version."""
    tried: list[str] = []
    with tempfile.TemporaryDirectory(dir=directory, prefix=".opa-") as scratch:
        for source in (binary_sources.go_install(VERSION), binary_sources.release(VERSION, releases)):
            fetched = source(Path(scratch), report)
            if isinstance(fetched, binary_sources.Failed):
                tried.append(fetched.reason)
                continue
            said = version(fetched)
            if said != VERSION:
                tried.append(f"{fetched.name} was fetched, but reports version {said!r}")
                continue
            fetched.chmod(0o755)
            return fetched.replace(directory / NAME)
    raise Unobtainable(
        f"OPA {VERSION} could not be obtained:\n"
        + "\n".join(f"  - {reason}" for reason in tried)
        + f"\nPut an `opa` of version {VERSION} on PATH, or at {directory / NAME}, or install Go, and try again."
    )
