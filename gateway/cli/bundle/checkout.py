"""The git commit of a policy directory.

Rule 1: a commit is recorded only if its tree has every byte that a build reads, and the build read every file of the
tree that a build would read. Otherwise the commit is marked `-dirty`, with the reason for each file.
Rule 2: files are compared with the blobs of the commit itself, without the index, filters and replacements of a
checkout.
Rule 3: if git does not know a commit, its error message is the reason; nothing is guessed.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

from gateway.cli.bundle.committed import LINK, SUBMODULE, Commit, CommittedFile, NoCommit, blob_id, read_commit
from gateway.policy.rego.overlay import list_rego
from gateway.policy.sources.environment import list_environment
from gateway.policy.sources.source_files import BESIDE, read_regular

DIRTY: Final = "-dirty"
_MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_LINKS: Final = 64


class Deviation(Struct, frozen=True, order=True):
    """A file that differs from the commit: its path in the repository, and the difference."""

    path: str
    why: str


class Checkout(Struct, frozen=True, kw_only=True):
    """The commit of a policy directory and its author; `changed` lists the files that differ from the commit."""

    commit: str = ""
    author: str = ""
    changed: tuple[Deviation, ...] = ()
    unknown: str = ""
    """The reason for a missing commit; empty if there is one."""


class SourceContent(Struct, frozen=True):
    """The input of a build at one path of the repository: the content of a file, or the target of a link."""

    content: bytes
    is_link: bool = False


class BuildSources(Struct, frozen=True):
    """All input of a build of one environment, by absolute path, and the directories that it lists."""

    read: Mapping[Path, SourceContent]
    directories: frozenset[Path]


def sources(directory: Path, environment: str) -> BuildSources:
    """Return the current input of a build; a file that cannot be read has no content."""
    found: dict[Path, SourceContent] = {}
    directories: set[Path] = set()
    root = directory.resolve()
    listings = {"rego": list_rego(directory), f"bundles/{environment}": list_environment(directory, environment)}
    for name, listed in listings.items():
        directories |= {root / name, *listed.directories}
        for file in listed.files:
            place = _followed(root, file.place.relative_to(directory), found)
            found[place] = SourceContent(_content(place))
    return BuildSources(found, frozenset(directories))


def checkout(directory: Path, environment: str, read: BuildSources | None = None) -> Checkout:
    """Return the commit and the differences for an environment; its sources are read unless given."""
    commit = read_commit(directory)
    if isinstance(commit, NoCommit):
        return Checkout(unknown=commit.why)
    changed = tuple(sorted(set(_deviations(commit, read or sources(directory, environment)))))
    return Checkout(commit=commit.id + (DIRTY if changed else ""), author=commit.author, changed=changed)


def _followed(root: Path, path: Path, found: dict[Path, SourceContent]) -> Path:
    """Return the real path of a path below the policy directory, and record every link on the way."""
    place, rest, links = root, list(path.parts), 0
    while rest:
        name = rest.pop(0)
        if name == "..":
            place = place.parent
            continue
        place = place / name
        if place.is_symlink() and links < _MOST_LINKS:
            links += 1
            target = _target(place)
            found[place] = SourceContent(os.fsencode(target), is_link=True)
            place = Path("/") if target.startswith("/") else place.parent
            rest = [part for part in PurePosixPath(target).parts if part != "/"] + rest
    return place


def _target(link: Path) -> str:
    return os.readlink(link)  # noqa: PTH115 - a Path drops `./` and repeated slashes, which are in the blob


def _content(place: Path) -> bytes:
    try:
        return read_regular(place, _MOST_BYTES)
    except OSError:
        return b""


def _deviations(commit: Commit, read: BuildSources) -> Iterator[Deviation]:
    """Yield files that a build reads but the commit does not have, and files that only the commit has."""
    for place, source in read.read.items():
        if not place.is_relative_to(commit.root):
            yield Deviation(str(place), "is outside the repository")
            continue
        path = place.relative_to(commit.root).as_posix()
        why = _why(commit, path, source)
        if why:
            yield Deviation(path, why)
    for path, entry in commit.entries.items():
        place = commit.root / path
        if place not in read.read and _would_be_read(place, read) and not _is_same_link(place, entry):
            missing = (
                "its commit is not available here" if entry.mode == SUBMODULE else "is in the commit and was not read"
            )
            yield Deviation(path, missing)


def _why(commit: Commit, path: str, source: SourceContent) -> str:
    """Return the difference between a file and the commit; empty if there is none."""
    entry = commit.entries.get(path)
    if entry is None:
        cased = next((each for each in commit.entries if each.casefold() == path.casefold()), None)
        return f"is `{cased}` in the commit" if cased else "is not in the commit"
    if (entry.mode == LINK) != source.is_link:
        return "is a link either here or in the commit, but not in both"
    if blob_id(source.content, entry.blob) == entry.blob:
        return ""
    if blob_id(source.content.replace(b"\r\n", b"\n"), entry.blob) == entry.blob:
        return "has other line endings in the commit: check it out without conversion (`* -text` in .gitattributes)"
    if commit.converts(path):
        return "differs from the commit: a filter of .gitattributes converts it, or it was changed"
    return "differs from the commit"


def _would_be_read(place: Path, read: BuildSources) -> bool:
    """Return whether a build would read a file of the commit if it were present."""
    above = next((each for each in place.parents if each in read.directories), None)
    if above is None:
        return False
    parts = place.relative_to(above).parts
    return not any(part.startswith(".") for part in parts) and place.name not in BESIDE


def _is_same_link(place: Path, entry: CommittedFile) -> bool:
    """Return whether a link without a readable target is as committed."""
    is_link = entry.mode == LINK and place.is_symlink()
    return is_link and blob_id(os.fsencode(_target(place)), entry.blob) == entry.blob
