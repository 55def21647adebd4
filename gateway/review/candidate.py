"""A bundle under review: its files and data, from an artifact or built in memory from a policy directory.

Rule 1: the signer does not matter here, because the bundle enforces nothing. Network access is still prevented
(`sidecar`).
"""

from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, to_builtins

from gateway.artifact.artifact import MANIFEST, Artifact, read_artifact
from gateway.artifact.json_narrowing import Json, is_object
from gateway.artifact.manifest import BundleMetadata, Manifest
from gateway.artifact.pack import canonical
from gateway.artifact.rejection import Rejected
from gateway.policy.build import Builder, PolicySource
from gateway.policy.sources.problem import Problems

UNNUMBERED: Final = 0
"""The sequence number of a policy that was built in memory."""


class Candidate(Struct, frozen=True, kw_only=True):
    """A bundle's files with its manifest among them, and its data as read."""

    manifest: Manifest
    files: dict[str, bytes]
    data: Json
    origin: str
    """Its source, for messages."""

    @property
    def revision(self) -> str:
        """The revision of the bundle."""
        return self.manifest.revision


class UnusableCandidate(Struct, frozen=True):
    """The reason why a bundle cannot be reviewed."""

    why: str


def from_file(path: Path) -> Candidate | UnusableCandidate:
    """Return the bundle in a file, signed or not."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return UnusableCandidate(f"{path} cannot be read: {error.strerror or error}.")
    return from_bytes(content, str(path))


def from_bytes(content: bytes, origin: str) -> Candidate | UnusableCandidate:
    """Return the bundle in these bytes."""
    artifact = read_artifact(content)
    if isinstance(artifact, Rejected):
        return UnusableCandidate(f"{origin} is not a policy bundle: {artifact.code}: {artifact.detail}.")
    return _candidate(artifact, origin)


def _candidate(artifact: Artifact, origin: str) -> Candidate | UnusableCandidate:
    data = _data(artifact.files.get("data.json", b""))
    if data is None:
        return UnusableCandidate(f"{origin} is not a valid policy bundle: data.json is missing or is not an object.")
    return Candidate(manifest=artifact.manifest, files=dict(artifact.files), data=data, origin=origin)


def _data(content: bytes) -> Json | None:
    try:
        value: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return value if is_object(value) else None


def from_policy(source: PolicySource, builder: Builder, time: float) -> Candidate | Problems:
    """Return the bundle that a policy directory would produce at `time` (Unix seconds), unsigned and unnumbered."""
    content = builder.content(source, time)
    if isinstance(content, Problems):
        return content
    metadata = BundleMetadata(environment=content.environment.name, seq=UNNUMBERED)
    revision = f"{metadata.environment}@{content.identity}.{metadata.seq}"
    manifest = Manifest(revision=revision, metadata=metadata)
    files = {**content.files, MANIFEST: canonical(to_builtins(manifest))}
    return Candidate(manifest=manifest, files=files, data=content.data, origin=str(source.directory))
