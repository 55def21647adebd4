"""The files of a commit by their blobs, including those of its submodules.

Rule 1: the commit is that of HEAD, read without replacements and grafts. The tree is read, never the index.
Rule 2: for a submodule, the commit that the tree names counts, not the one that is checked out there.
"""

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

LINK: Final = "120000"
SUBMODULE: Final = "160000"
_DEADLINE_S: Final = 60
_DEEPEST: Final = 8
"""Depth of nested submodules."""
_CONVERSIONS: Final = ("filter", "ident", "working-tree-encoding")
_SET_ASIDE: Final = {"unspecified", "unset"}


class NoCommit(Struct, frozen=True):
    """The reason for a missing commit, in git's words."""

    why: str


class CommittedFile(Struct, frozen=True):
    """One file, link or unread submodule of a commit."""

    mode: str
    blob: str


class Commit(Struct, frozen=True):
    """A commit, its author, and its entries by path below the root of the checkout."""

    id: str
    author: str
    root: Path
    entries: Mapping[str, CommittedFile]

    def converts(self, path: str) -> bool:
        """Return whether git converts the content of a file when it checks it out."""
        said = _git(self.root, "check-attr", "-z", *_CONVERSIONS, "--", path)
        values = [] if isinstance(said, NoCommit) else said.decode("utf-8", "replace").split("\0")[2::3]
        return any(value not in _SET_ASIDE for value in values)


def read_commit(directory: Path) -> Commit | NoCommit:
    """Return the commit from which a directory is checked out."""
    place = _git(directory, "rev-parse", "--show-toplevel")
    if isinstance(place, NoCommit):
        return place
    said = _git(directory, "log", "-1", "--no-show-signature", "--format=%H%x00%an <%ae>")
    if isinstance(said, NoCommit):
        return said
    commit, _, author = said.decode("utf-8", "replace").strip().partition("\0")
    root = Path(os.fsdecode(place.removesuffix(b"\n"))).resolve()
    entries = _entries(root, commit, depth=0)
    return entries if isinstance(entries, NoCommit) else Commit(commit, author, root, entries)


def blob_id(content: bytes, like: str) -> str:
    """Return the id of a blob, in the object format of another id."""
    kind = "sha1" if len(like) == 40 else "sha256"  # noqa: PLR2004 - hexadecimal digits of SHA-1
    return hashlib.new(kind, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _entries(root: Path, commit: str, *, depth: int) -> dict[str, CommittedFile] | NoCommit:
    listed = _git(root, "ls-tree", "-r", "-z", "--full-tree", commit)
    if isinstance(listed, NoCommit):
        return listed
    found: dict[str, CommittedFile] = {}
    for path, entry in _read(listed):
        inner = _entries(root / path, entry.blob, depth=depth + 1) if _is_submodule(entry, depth) else None
        if isinstance(inner, dict):
            found |= {f"{path}/{name}": each for name, each in inner.items()}
        else:
            found[path] = entry
    return found


def _read(listed: bytes) -> Iterator[tuple[str, CommittedFile]]:
    """Yield the lines of `git ls-tree`: mode, kind, object, tab, path."""
    for line in listed.split(b"\0"):
        head, tab, path = line.partition(b"\t")
        if tab:
            mode, _, blob = head.decode().split(" ")
            yield os.fsdecode(path), CommittedFile(mode, blob)


def _is_submodule(entry: CommittedFile, depth: int) -> bool:
    return entry.mode == SUBMODULE and depth < _DEEPEST


def _git(directory: Path, *words: str) -> bytes | NoCommit:
    """Return git's output, or the reason for its failure."""
    command = ["git", "--no-replace-objects", "--literal-pathspecs", "-c", "core.fsmonitor=false", *words]
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "GIT_GRAFT_FILE": os.devnull}
    try:
        ran = subprocess.run(command, cwd=directory, env=environ, capture_output=True, timeout=_DEADLINE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return NoCommit(f"git does not start or respond: {error}")
    said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
    return NoCommit(said[0] if said else f"git exited with code {ran.returncode}") if ran.returncode else ran.stdout
