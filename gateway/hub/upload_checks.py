"""Check an uploaded bundle: strict format, signed by a valid key, not expired, with a high enough sequence number.

Rule 1: nothing of a rejected bundle is stored.
Rule 2: the gateway version is not checked here; only each gateway can check its own.
"""

from collections.abc import Sequence

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.rejection import Rejected
from gateway.artifact.signature_checks import EnforcementContext, VerifyingKey, unenforceable, unsigned_by
from gateway.hub.channel_pointer import Move, highest


def admitted(content: bytes, keys: Sequence[VerifyingKey], moves: Sequence[Move], unix_ns: int) -> Artifact | Rejected:
    """Return the artifact in these bytes, or why it may not be published; `keys` are those valid now."""
    artifact = read_artifact(content)
    if isinstance(artifact, Rejected):
        return artifact
    return unsigned_by(artifact, keys) or outdated(artifact.manifest.metadata, moves, unix_ns) or artifact


def outdated(metadata: BundleMetadata, moves: Sequence[Move], unix_ns: int) -> Rejected | None:
    """Return why an up-to-date gateway would reject a bundle with these metadata; None if it would accept it."""
    top = highest(moves, metadata.environment)
    standing = EnforcementContext(
        environment=metadata.environment,
        highest_seq=0 if top is None else top.seq,
        unix_ns=unix_ns,
        version=metadata.lowest_gateway,
        input_schema=metadata.input_schema,
    )
    return unenforceable(metadata, standing)
