"""Published bundles by channel, revision or digest, for commands that compare, replay or explain.

Rule 1: an artifact is accepted only if its digest is the requested one, or the one that the channel points to, and its
manifest has the expected revision.
Rule 2: a directory that is only read is neither created if it is missing nor repaired.
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
"""Moves that a hub returns at most."""


class PublishedSource(Protocol):
    """A source of published bundles; every method ends the command if it fails."""

    def known(self) -> PublishedChannels: ...
    def history(self, channel: str, limit: int) -> Sequence[Move]: ...
    def content(self, digest: str) -> bytes: ...


class PublishedDirectory:
    """A directory with the layout of a hub, only read."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._store: Final = ArtifactStore(path)

    def known(self) -> PublishedChannels:
        """Return the published channels."""
        return known_in(self._store)

    def history(self, channel: str, limit: int) -> Sequence[Move]:
        """Return all moves of a channel, the newest first."""
        return self._store.moves(channel, max(limit, ALL))

    def content(self, digest: str) -> bytes:
        """Return the bytes of an artifact."""
        content = self._store.content(digest)
        if content is None:
            raise click.ClickException(f"{self._path}: {absent(self._path, digest)}")
        return content


def source_of(place: str, token_file: Path | None) -> PublishedSource:
    """Return the hub or directory that `place` names."""
    if place.startswith(("http://", "https://")):
        return remote(place, token_file)
    if not (Path(place) / "artefacts").is_dir():
        raise click.ClickException(f"{place} is not a hub directory: it does not have artefacts/.")
    return PublishedDirectory(Path(place))


def fetched(source: PublishedSource, wanted: str) -> Artifact:
    """Return the artifact of a channel, revision or digest; end the command if it cannot be found."""
    try:
        digest, revision = _named(source, wanted)
        content = source.content(digest)
    except OSError as error:
        raise click.ClickException(f"{error.filename or wanted} cannot be read: {error.strerror or error}.") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise click.ClickException(
            f"The received content is not the artifact {digest} and was discarded. Check the hub."
        )
    artifact = read_artifact(content)
    if isinstance(artifact, Rejected):
        raise click.ClickException(f"The artifact {digest} is not a valid bundle. {artifact}.")
    if revision and artifact.revision != revision:
        raise click.ClickException(f"The artifact {digest} is {artifact.revision}, not {revision}: check the hub.")
    return artifact


def _named(source: PublishedSource, wanted: str) -> tuple[str, str]:
    """Return the digest, and the revision if it is known."""
    if DIGEST.fullmatch(wanted):
        return wanted, ""
    if "@" not in wanted:
        return _pointed_to(source.known(), wanted)
    marks = (mark for move in source.history("", MOVES) for mark in (move.to, move.before) if mark is not None)
    found = next((mark for mark in marks if mark.revision == wanted), None)
    if found is None:
        raise click.ClickException(
            f"Revision {wanted} was not found in the history of any channel."
            " `mcp-admission bundle history` shows the revisions."
        )
    return found.digest, found.revision


def _pointed_to(known: PublishedChannels, channel: str) -> tuple[str, str]:
    pointer = known.channels.get(channel)
    if pointer is None:
        there = f"Channels: {escaped(', '.join(sorted(known.channels)))}." if known.channels else "No channels found."
        raise click.ClickException(f"Channel {channel!r} does not exist. {there}")
    return pointer.digest, pointer.revision
