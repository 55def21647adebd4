"""The OPA binary: which version, where it lies, how it comes to this machine.

Rule 1: the version is pinned here and nowhere else; a binary counts only after it has said that it is that version.
Rule 2: it is fetched once, under a lock, and appears in the tool directory complete or not at all.
Rule 3: OPA before 1.21.3 accepts bundles stripped of their signature (GHSA-g2pf-6v5v-qcc8) and is refused everywhere.
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


class Unobtainable(RuntimeError):  # noqa: N818  it is what OPA is, not what went wrong
    """OPA could be had in no way; the text says what was tried and what to do."""


def tools() -> Path:
    """The directory for programs of the pinned versions: $MCP_ADMISSION_TOOLS, else below the user's cache."""
    chosen = os.environ.get("MCP_ADMISSION_TOOLS")
    if chosen:
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "mcp-admission" / "tools"


def version(path: Path) -> str | None:
    """The version that a binary says it is; None when it does not run or does not say."""
    try:
        said = subprocess.run(
            [path, "version"], capture_output=True, text=True, timeout=REPLY_SECONDS, env={}, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    named = re.search(r"^Version: (\S+)$", said.stdout, re.MULTILINE)
    return named[1] if said.returncode == 0 and named else None


def refusal(named: str | None) -> str | None:
    """Why an OPA of this version is not used, ready to be shown; None when it may be."""
    numbers = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(\+\S+)?", named or "")
    if numbers is None:
        return f"OPA says that it is version {named!r}, which is no release: use {VERSION}"
    if (int(numbers[1]), int(numbers[2]), int(numbers[3])) >= OLDEST:
        return None
    least = ".".join(map(str, OLDEST))
    return f"OPA {named} accepts unsigned bundles (GHSA-g2pf-6v5v-qcc8): use {VERSION}, never below {least}"


def find() -> Path | None:
    """OPA at exactly the pinned version, from PATH or the tool directory; None when there is none."""
    on_path = shutil.which("opa")
    for candidate in (Path(on_path) if on_path else None, tools() / NAME):
        if candidate and version(candidate) == VERSION:
            return candidate.absolute()
    return None


def obtain(report: Report, *, releases: str = binary_sources.RELEASES) -> Path:
    """OPA at the pinned version: found, or fetched now. Raises `Unobtainable` with what was tried."""
    found = find()
    if found:
        return found
    directory = tools()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(directory, report):
        # Another process may have fetched it while this one waited.
        return find() or _fetch(directory, report, releases)


@contextmanager
def _alone(directory: Path, report: Report) -> Generator[None]:
    """The only process that fetches into this directory, for as long as the block runs."""
    with (directory / "opa.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("Another process is obtaining OPA; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(directory: Path, report: Report, releases: str) -> Path:
    """Each source in turn, into a scratch directory; the first that gives the pinned version is kept."""
    tried: list[str] = []
    with tempfile.TemporaryDirectory(dir=directory, prefix=".opa-") as scratch:
        for source in (binary_sources.go_install(VERSION), binary_sources.release(VERSION, releases)):
            fetched = source(Path(scratch), report)
            if isinstance(fetched, binary_sources.Failed):
                tried.append(fetched.reason)
                continue
            said = version(fetched)
            if said != VERSION:
                tried.append(f"{fetched.name} came, but says that it is version {said!r}")
                continue
            fetched.chmod(0o755)
            return fetched.replace(directory / NAME)
    raise Unobtainable(
        f"OPA {VERSION} could not be obtained:\n"
        + "\n".join(f"  - {reason}" for reason in tried)
        + f"\nPut an `opa` of version {VERSION} on PATH, or at {directory / NAME}, or install Go, and try again."
    )
