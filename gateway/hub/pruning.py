"""Remove artifacts that are no longer needed from a hub's directory, also while a hub is running.

Rule 1: an artifact stays if a channel points to it, if it is among the last revisions of a channel, or if it was stored
or in force within the retention period.
Rule 2: each artifact is checked again in the step that removes it, under the lock of moves and uploads. Therefore a
pointer never names a removed artifact.
Rule 3: an artifact is recorded in the journal before it is removed. If it cannot be removed, it stays, and the journal
entry is rolled back.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import moment_of
from gateway.durable_files import locked, sync_directory
from gateway.hub.artifact_store import ArtifactStore, instant
from gateway.hub.channel_pointer import Move
from gateway.hub.line_journal import LOCK, append, cut
from gateway.hub.pruned import JOURNAL, Pruned

_ALL: Final = 1 << 62
_DAY_NS: Final = 86_400 * 1_000_000_000


class Keep(Struct, frozen=True, kw_only=True):
    """The retention, in addition to the artifacts that channels point to: days, and revisions of each channel."""

    days: int
    last: int


class Prunable(Struct, frozen=True, kw_only=True):
    """An artifact that is no longer needed."""

    digest: str
    path: Path
    size: int
    used_unix_ns: int
    """Time when it was stored, or was last in force."""


def prunable(store: ArtifactStore, keep: Keep, unix_ns: int) -> list[Prunable]:
    """Return the artifacts that can be removed now, the longest unused first; raise OSError if that is unknown."""
    needed = _needed(store, keep)
    found = [_unneeded(digest, path, needed, unix_ns - keep.days * _DAY_NS) for digest, path in store.stored()]
    return sorted((each for each in found if each is not None), key=lambda each: each.used_unix_ns)


def pruned(store: ArtifactStore, keep: Keep, by: str) -> Iterator[Pruned]:
    """Remove unneeded artifacts one by one; raise OSError if one cannot be removed, and keep the rest."""
    before = time.time_ns() - keep.days * _DAY_NS
    for each in prunable(store, keep, time.time_ns()):
        line = described(store, each.digest, by, time.time_ns())
        with locked(store.directory / LOCK):  # for one artifact at a time: stops wait for the same lock
            gone = _unneeded(each.digest, each.path, _needed(store, keep), before) is not None
            if gone:
                _removed(store.directory / JOURNAL, each.path, line)
        if gone:
            yield line


class _Needed(Struct, frozen=True):
    """Artifacts that stay regardless of age, and when each of the others was last put in force or replaced."""

    digests: frozenset[str]
    used: dict[str, int]


def _needed(store: ArtifactStore, keep: Keep) -> _Needed:
    moves = store.moves(limit=_ALL)
    pointed = {pointer.digest for pointer in store.pointers().values()}
    return _Needed(frozenset(pointed | set(_last(moves, keep.last))), _used(moves))


def _unneeded(digest: str, path: Path, needed: _Needed, before_unix_ns: int) -> Prunable | None:
    state = path.stat()
    since = max(state.st_mtime_ns, needed.used.get(digest, 0))
    if digest in needed.digests or since >= before_unix_ns:
        return None
    return Prunable(digest=digest, path=path, size=state.st_size, used_unix_ns=since)


def described(store: ArtifactStore, digest: str, by: str, unix_ns: int) -> Pruned:
    """Return the journal entry for an artifact."""
    artifact = read_artifact(store.content(digest) or b"")
    metadata = artifact.manifest.metadata if isinstance(artifact, Artifact) else None
    return Pruned(
        time=instant(unix_ns),
        digest=digest,
        revision=artifact.revision if isinstance(artifact, Artifact) else digest,
        environment="" if metadata is None else metadata.environment,
        commit="" if metadata is None else metadata.commit,
        built="" if metadata is None else metadata.built,
        by=by,
    )


def _removed(journal: Path, path: Path, line: Pruned) -> None:
    before = append(journal, msgspec.json.encode(line))
    try:
        path.unlink()
    except OSError:
        cut(journal, before)
        raise
    sync_directory(path.parent)


def _last(moves: Sequence[Move], count: int) -> Iterator[str]:
    """Yield the digests of the last revisions of each channel; `moves` starts with the newest."""
    for channel in {move.channel for move in moves}:
        yield from list(dict.fromkeys(move.to.digest for move in moves if move.channel == channel))[:count]


def _used(moves: Sequence[Move]) -> dict[str, int]:
    found: dict[str, int] = {}
    for move in moves:
        for mark in (move.to, move.before):
            if mark is not None:
                found[mark.digest] = max(found.get(mark.digest, 0), moment_of(move.time) or 0)
    return found
