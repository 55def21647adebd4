"""A description of a bundle's metadata and contents, as one value.

Rule 1: nothing here is verified: a signature is only described.
"""

from typing import Any

import jwt
import msgspec
from msgspec import Struct

from gateway.artifact.artifact import Artifact
from gateway.artifact.bundle_data import data_of
from gateway.artifact.manifest import BundleMetadata


class BundleInspection(Struct, frozen=True, kw_only=True):
    """The description of a bundle."""

    revision: str
    digest: str
    """The SHA-256 of the file: the name under which it is stored."""
    size: int
    metadata: BundleMetadata
    roots: tuple[str, ...]
    signed_with: str
    """The key id in the signature; empty for an unsigned bundle."""
    scope: str
    """The use that the signature is for; empty for policy."""
    files: int
    holds: dict[str, int]
    """The numbers of servers, targets, agents, rules and requirements; empty if this is not a policy bundle."""


def inspected(artifact: Artifact) -> BundleInspection:
    """Return the description of an artifact."""
    claims = _claims(artifact)
    return BundleInspection(
        revision=artifact.revision,
        digest=artifact.digest,
        size=len(artifact.content),
        metadata=artifact.manifest.metadata,
        roots=artifact.manifest.roots,
        signed_with=str(claims.get("keyid", "")),
        scope=str(claims.get("scope", "")),
        files=len(artifact.files),
        holds=_held(artifact),
    )


def _held(artifact: Artifact) -> dict[str, int]:
    data = data_of(artifact)
    if data is None:
        return {}
    targets = data["catalog"]["targets"].values()
    kinds = ("tools", "prompts", "resources", "resource_prefixes")
    return {
        "servers": len(data["catalog"]["servers"]),
        "targets": sum(len(each[kind]) for each in targets for kind in kinds),
        "agents": len(data["agents"]),
        "rules": len(data["rules"]),
        "requirements": len(data["requirements"]),
    }


def _claims(artifact: Artifact) -> dict[str, Any]:
    """Return the unverified claims of the signature; empty if it is missing or unreadable."""
    try:
        (token,) = msgspec.json.decode(artifact.signatures or b"")["signatures"]
        return jwt.decode(token, options={"verify_signature": False})
    except (msgspec.DecodeError, jwt.PyJWTError, ValueError, TypeError, KeyError):
        return {}
