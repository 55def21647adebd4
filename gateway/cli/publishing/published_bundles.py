"""A published bundle, found by its channel, revision or digest: for whoever compares, replays or explains.

Rule 1: bytes count only as what they are: their digest is the one that was asked for or pointed to, and their manifest
says the revision that was.
Rule 2: a place that is only read is not made where it is missing, nor mended.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import click

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.rejection import Rejected
from gateway.cli.live_decisions import escaped
from gateway.cli.publishing.hub_client import remote
from gateway.cli.publishing.publish_target import ALL, PublishedChannels, known_in
from gateway.hub.artifact_store import ArtifactStore
from gateway.hub.channel_pointer import DIGEST, Move
from gateway.hub.pruned import absent

MOVES: Final = 1000
"""So many moves a hub tells."""


class PublishedSource(Protocol):
    """Tells what was published; every method ends the command where it cannot."""

    def known(self) -> PublishedChannels: ...
    def history(self, channel: str, limit: int) -> Sequence[Move]: ...
    def content(self, digest: str) -> bytes: ...


class PublishedDirectory:
    """A directory with a hub's layout, only read."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._store: Final = ArtifactStore(path)

    def known(self) -> PublishedChannels:
        """What is there."""
        return known_in(self._store)

    def history(self, channel: str, limit: int) -> Sequence[Move]:
        """The last moves, the newest first; a directory has them all."""
        return self._store.moves(channel, max(limit, ALL))

    def content(self, digest: str) -> bytes:
        """The bytes of an artifact."""
        content = self._store.content(digest)
        if content is None:
            raise click.ClickException(f"{self._path}: {absent(self._path, digest)}")
        return content


def source_of(place: str, token_file: Path | None) -> PublishedSource:
    """The hub or the directory that `place` names."""
    if place.startswith(("http://", "https://")):
        return remote(place, token_file)
    if not (Path(place) / "artefacts").is_dir():
        raise click.ClickException(f"{place} is no hub's directory: it has no artefacts/.")
    return PublishedDirectory(Path(place))


def fetched(source: PublishedSource, wanted: str) -> Artifact:
    """The artifact that a channel, a revision or a digest names; ends the command where there is none."""
    try:
        digest, revision = _named(source, wanted)
        content = source.content(digest)
    except OSError as error:
        raise click.ClickException(f"{error.filename or wanted} cannot be read: {error.strerror or error}.") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise click.ClickException(f"What came is not the artifact {digest}: nothing of it is kept. Look at the place.")
    artifact = read_artifact(content)
    if isinstance(artifact, Rejected):
        raise click.ClickException(f"The artifact {digest} is no bundle. {artifact}.")
    if revision and artifact.revision != revision:
        raise click.ClickException(f"The artifact {digest} is {artifact.revision}, not {revision}: look at the place.")
    return artifact


def _named(source: PublishedSource, wanted: str) -> tuple[str, str]:
    """The digest, and the revision where that is known."""
    if DIGEST.fullmatch(wanted):
        return wanted, ""
    if "@" not in wanted:
        return _pointed_to(source.known(), wanted)
    marks = (mark for move in source.history("", MOVES) for mark in (move.to, move.before) if mark is not None)
    found = next((mark for mark in marks if mark.revision == wanted), None)
    if found is None:
        raise click.ClickException(
            f"No channel there points or pointed to {wanted} in what is remembered."
            " `mcp-admission bundle history` shows the revisions."
        )
    return found.digest, found.revision


def _pointed_to(known: PublishedChannels, channel: str) -> tuple[str, str]:
    pointer = known.channels.get(channel)
    if pointer is None:
        there = f"There are: {escaped(', '.join(sorted(known.channels)))}." if known.channels else "There is none yet."
        raise click.ClickException(f"There is no channel {channel!r}. {there}")
    return pointer.digest, pointer.revision
