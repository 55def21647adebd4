"""The bundle of a revision, found in the directory of a hub.

Rule 1: a file counts for what it holds: its digest is its name, and its manifest says its revision.
"""

import hashlib
from pathlib import Path

from gateway.artifact.artifact import read_artifact
from gateway.artifact.rejection import Rejected
from gateway.review.candidate import Candidate, UnusableCandidate, from_bytes


def in_hub(directory: Path, revision: str) -> Candidate | UnusableCandidate:
    """The bundle of a revision among the artifacts of a hub's directory, the newest looked at first."""
    if not (directory / "artefacts").is_dir():
        return UnusableCandidate(f"{directory} is no hub's directory: it has no artefacts/.")
    try:
        files = sorted((directory / "artefacts").glob("*.tar.gz"), key=lambda path: -path.stat().st_mtime)
    except OSError as error:
        return UnusableCandidate(f"{directory} cannot be read: {error.strerror or error}.")
    for path in files:
        try:
            content = path.read_bytes()
        except OSError:
            continue  # one that is just being removed
        if hashlib.sha256(content).hexdigest() == path.name.removesuffix(".tar.gz") and _is(content, revision):
            return from_bytes(content, str(path))
    return UnusableCandidate(f"none of the {len(files)} artifacts in {directory} is of revision {revision}.")


def environment_of(revision: str) -> str:
    """Return the environment that a revision is of; empty if the revision is not known."""
    return revision.partition("@")[0]


def _is(content: bytes, revision: str) -> bool:
    artifact = read_artifact(content)
    return not isinstance(artifact, Rejected) and artifact.revision == revision


def same_policy(one: str, other: str) -> bool:
    """Whether two revisions have the same content; their sequence numbers may differ."""
    return bool(one) and one.rpartition(".")[0] == other.rpartition(".")[0]
