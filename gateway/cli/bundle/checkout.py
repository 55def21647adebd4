"""Which commit a policy directory is of, as git says it.

Rule 1: a commit is recorded as such only where what is built is what was committed; else it is marked `-dirty`.
Rule 2: what git cannot say is said to be unknown, with git's own words; nothing is guessed.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

from gateway.bundle.environment import list_environment
from gateway.bundle.source_files import BESIDE
from gateway.bundle.stage import list_rego

DIRTY: Final = "-dirty"
_DEADLINE_S: Final = 60


class Checkout(Struct, frozen=True, kw_only=True):
    """The commit of a policy directory and who wrote it; `changed` are the files that are not as committed."""

    commit: str = ""
    author: str = ""
    changed: tuple[str, ...] = ()
    unknown: str = ""
    """Why there is no commit; empty where there is one."""


def checkout(directory: Path, environment: str) -> Checkout:
    """What git says of the sources of an environment."""
    found = _git(directory, "log", "-1", "--no-show-signature", "--format=%H%x00%aN <%aE>")
    if isinstance(found, str):
        return Checkout(unknown=found)
    commit, _, author = found.decode("utf-8", "replace").strip().partition("\0")
    listing = ("--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored=matching")
    status = _git(directory, "status", *listing, "--", *_sources(directory, environment))
    if isinstance(status, str):
        return Checkout(unknown=status)
    changed = tuple(sorted(_taken(status)))
    return Checkout(commit=commit + (DIRTY if changed else ""), author=author, changed=changed)


def _taken(status: bytes) -> Iterator[str]:
    """The files of `git status` that a build reads, or would have read; a directory or a link counts as one."""
    for line in status.decode("utf-8", "replace").split("\0"):
        name = line[3:]
        path = PurePosixPath(name)
        hidden = any(part.startswith(".") for part in path.parts)
        if name and not hidden and path.name not in BESIDE:
            yield name


def _sources(directory: Path, environment: str) -> list[str]:
    """Where a build reads: its two directories, and the files elsewhere in the repository that links lead to."""
    root, own = directory.resolve(), ("rego", f"bundles/{environment}")
    listed = (*list_rego(directory).files, *list_environment(directory, environment).files)
    real = {file.place.resolve() for file in listed}
    linked = {path.relative_to(root) for path in real if path.is_relative_to(root)}
    return [*own, *sorted(str(path) for path in linked if not any(path.is_relative_to(each) for each in own))]


def _git(directory: Path, *words: str) -> bytes | str:
    """What git printed, or why it printed nothing."""
    command = ["git", "--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *words]
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        ran = subprocess.run(command, cwd=directory, env=environ, capture_output=True, timeout=_DEADLINE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"git does not answer: {error}"
    said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
    return (said[0] if said else f"git ended with {ran.returncode}") if ran.returncode else ran.stdout
