"""Lookup of a revision's bundle in the directory of a hub.

Rule 1: only the content of a file counts: its digest must match its name, and its manifest contains its revision.
"""

import hashlib
from pathlib import Path

from gateway.artifact.artifact import read_artifact
from gateway.artifact.rejection import Rejected
from gateway.review.candidate import Candidate, UnusableCandidate, from_bytes


def in_hub(directory: Path, revision: str) -> Candidate | UnusableCandidate:
    """Return the bundle of a revision from the artifacts of a hub's directory, searching the newest first."""
    if not (directory / "artefacts").is_dir():
        return UnusableCandidate(f"{directory} is not a hub's directory: it has no artefacts/.")
    try:
        files = sorted((directory / "artefacts").glob("*.tar.gz"), key=lambda path: -path.stat().st_mtime)
    except OSError as error:
        return UnusableCandidate(f"{directory} cannot be read: {error.strerror or error}.")
    for path in files:
        try:
            content = path.read_bytes()
        except OSError:
            continue  # just being removed
        if hashlib.sha256(content).hexdigest() == path.name.removesuffix(".tar.gz") and _is(content, revision):
            return from_bytes(content, str(path))
    return UnusableCandidate(f"none of the {len(files)} artifacts in {directory} has revision {revision}.")


def environment_of(revision: str) -> str:
    """Return the environment of a revision; empty if the revision is empty."""
    return revision.partition("@")[0]


def _is(content: bytes, revision: str) -> bool:
    artifact = read_artifact(content)
    return not isinstance(artifact, Rejected) and artifact.revision == revision


def same_policy(one: str, other: str) -> bool:
    """Return whether two revisions have the same content; their sequence numbers may differ."""
    return bool(one) and one.rpartition(".")[0] == other.rpartition(".")[0]
