"""Whether an uploaded bundle is taken: read strictly, signed by a valid key, in its time, not below what was published.

Rule 1: nothing is stored of a bundle that is refused.
Rule 2: what only a gateway can judge, its own version, is left to it.
"""

from collections.abc import Sequence

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.rejection import Rejected
from gateway.artifact.signature_checks import EnforcementContext, VerifyingKey, unenforceable, unsigned_by
from gateway.hub.channel_pointer import Move, highest


def admitted(content: bytes, keys: Sequence[VerifyingKey], moves: Sequence[Move], unix_ns: int) -> Artifact | Rejected:
    """The artifact in these bytes, or why it may not be published: `keys` are those that are valid now."""
    artifact = read_artifact(content)
    if isinstance(artifact, Rejected):
        return artifact
    return unsigned_by(artifact, keys) or outdated(artifact.manifest.metadata, moves, unix_ns) or artifact


def outdated(metadata: BundleMetadata, moves: Sequence[Move], unix_ns: int) -> Rejected | None:
    """Why no gateway that followed until now would take a bundle with these metadata; None where they would."""
    top = highest(moves, metadata.environment)
    standing = EnforcementContext(
        environment=metadata.environment,
        highest_seq=0 if top is None else top.seq,
        unix_ns=unix_ns,
        version=metadata.lowest_gateway,
        input_schema=metadata.input_schema,
    )
    return unenforceable(metadata, standing)
