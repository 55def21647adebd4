"""The destinations of published bundles: a hub, or a directory with the same layout.

Rule 1: a refusal ends the command and is shown with its remedy; the command does not retry in another way.
Rule 2: a directory follows the same rules as a hub. Signatures are verified if keys are given.
"""

import getpass
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import click
from msgspec import Struct

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.rejection import Rejected
from gateway.artifact.signature_checks import VerifyingKey
from gateway.hub.artifact_store import ArtifactStore
from gateway.hub.channel_pointer import Mark, Move, Pointer, highest
from gateway.hub.promotion import MoveRefused, MoveRequest
from gateway.hub.pruned import absent
from gateway.hub.upload_checks import admitted, outdated

ALL: Final = 1 << 62


class PublishedChannels(Struct, frozen=True, kw_only=True):
    """The channels of a hub or directory, and the highest artifact of each environment."""

    channels: dict[str, Pointer]
    highest: dict[str, Mark]


def known_in(store: ArtifactStore) -> PublishedChannels:
    """Return the channels and artifacts of a directory."""
    pointers, moves = store.pointers(), store.moves(limit=ALL)
    tops = {each.environment: highest(moves, each.environment) for each in pointers.values()}
    return PublishedChannels(channels=pointers, highest={name: top for name, top in tops.items() if top is not None})


class PublishTarget(Protocol):
    """A destination of bundles; every method ends the command if it is refused."""

    def known(self) -> PublishedChannels: ...
    def history(self, channel: str, limit: int) -> list[Move]: ...
    def content(self, digest: str) -> bytes: ...
    def upload(self, content: bytes) -> Mark: ...
    def point(self, channel: str, digest: str, *, because: str, expected: str | None) -> Pointer: ...


class DirectoryTarget:
    """A directory with the layout of a hub, written by this command."""

    def __init__(self, path: Path, keys: Sequence[VerifyingKey]) -> None:
        self._store: Final = ArtifactStore(path)
        self._keys: Final = keys
        self._store.open()

    def known(self) -> PublishedChannels:
        """Return the published channels."""
        return known_in(self._store)

    def history(self, channel: str, limit: int) -> list[Move]:
        """Return the last moves, the newest first."""
        return self._store.moves(channel, limit)

    def content(self, digest: str) -> bytes:
        """Return the bytes of an artifact."""
        content = self._store.content(digest)
        if content is None:
            raise click.ClickException(f"{self._store.directory}: {absent(self._store.directory, digest)}")
        return content

    def upload(self, content: bytes) -> Mark:
        """Store an artifact."""
        artifact = self._admitted(content)
        if isinstance(artifact, Rejected):
            raise click.ClickException(f"The bundle is refused. {artifact}. Nothing was stored.")
        if not self._keys:
            said = "gateways refuse a bundle that none of their keys signed"
            click.echo(f"The signature was not verified (see --verification-key): {said}", err=True)
        self._store.keep(artifact)
        metadata = artifact.manifest.metadata
        return Mark(
            digest=artifact.digest, revision=artifact.revision, environment=metadata.environment, seq=metadata.seq
        )

    def point(self, channel: str, digest: str, *, because: str, expected: str | None) -> Pointer:
        """Move the channel's pointer."""
        wanted = MoveRequest(
            channel=channel,
            digest=digest,
            expected=expected,
            by=getpass.getuser(),
            because=because,
            unix_ns=time.time_ns(),
        )
        pointer = self._store.move(wanted)
        if isinstance(pointer, MoveRefused):
            raise click.ClickException(f"The channel was not moved. {pointer}")
        return pointer

    def _admitted(self, content: bytes) -> Artifact | Rejected:
        moves, now = self._store.moves(limit=ALL), time.time_ns()
        if self._keys:
            return admitted(content, self._keys, moves, now)
        artifact = read_artifact(content)
        if isinstance(artifact, Rejected):
            return artifact
        if artifact.signatures is None:
            return Rejected("bundle_unsigned", "the file .signatures.json is missing")
        return outdated(artifact.manifest.metadata, moves, now) or artifact
