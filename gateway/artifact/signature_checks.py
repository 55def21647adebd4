"""Check that the holder of a valid key signed an artifact, and that it may be enforced here and now.

Rule 1: an unsigned bundle is rejected. The key is found by its id (the name in the settings, or the id derived from the
key) among the valid keys, and it determines the algorithm.
Rule 2: the signed list and the files are the same set, byte for byte: the build writes files in the form that OPA
hashes.
Rule 3: a signature is for one use, its scope: an emergency bundle never counts as policy, and policy never as an
emergency bundle.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from gateway.artifact.artifact import Artifact
from gateway.artifact.json_narrowing import objects
from gateway.artifact.manifest import BundleMetadata, moment_of
from gateway.artifact.rejection import Rejected
from gateway.artifact.signing import algorithm_of, keyid_of, only_one, unsuitable

POLICY: Final = ""
"""The scope of policy bundles: OPA expects no scope unless one is configured."""
EMERGENCY: Final = "emergency"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


class VerifyingKey(Struct, frozen=True, kw_only=True):
    """A public key that bundles may be signed with."""

    keyid: str
    pem: str
    algorithm: Algorithm = "ES256"


def read_verifying_key(pem: bytes) -> VerifyingKey:
    """Return the public EC key of a PEM text with its derived id; raise ValueError if it is not such a key."""
    only_one(pem, "PUBLIC")
    try:
        public = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("it is not the PEM text of a public key (openssl pkey -in key.pem -pubout)") from error
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise ValueError(unsuitable(public))  # noqa: TRY004 - the value of a setting is wrong, not a type in the program
    text = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return VerifyingKey(keyid=keyid_of(text), pem=text.decode(), algorithm=algorithm_of(public.curve))


class EnforcementContext(Struct, frozen=True, kw_only=True):
    """The gateway's state against which a bundle's metadata are checked."""

    environment: str
    highest_seq: int
    """The highest sequence number that was enforced here; 0 before the first."""
    unix_ns: int
    version: str
    """The version of this gateway."""
    input_schema: str
    grace_s: float = 0
    """The seconds after `not_after` in which a bundle may still be enforced."""


class _Signatures(Struct):
    signatures: list[str]


def unsigned_by(artifact: Artifact, keys: Sequence[VerifyingKey], scope: str = POLICY) -> Rejected | None:
    """Return a rejection unless one of the keys signed the artifact for this use."""
    if artifact.signatures is None:
        return Rejected("bundle_unsigned", "it has no .signatures.json")
    try:
        (token,) = msgspec.json.decode(artifact.signatures, type=_Signatures).signatures
        claimed: Any = jwt.decode(token, options={"verify_signature": False})
    except (msgspec.DecodeError, ValueError, RecursionError, jwt.PyJWTError) as error:
        return Rejected("bundle_signature_invalid", f"its .signatures.json cannot be read: {error}")
    keyid = claimed.get("keyid")
    if not isinstance(keyid, str):
        return Rejected("bundle_signature_invalid", "its signature does not name a key")
    for key in keys:
        if keyid in {key.keyid, _fingerprint(key.pem)}:
            return _refuted(artifact, token, key, scope)
    return Rejected("bundle_signature_invalid", f"its key {keyid[:100]!r} is not valid here")


@lru_cache
def _fingerprint(pem: str) -> str:
    """Return the derived id of this key, regardless of its name in the settings; empty if signing cannot use it."""
    try:
        return read_verifying_key(pem.encode()).keyid
    except ValueError:
        return ""


def _refuted(artifact: Artifact, token: str, key: VerifyingKey, scope: str) -> Rejected | None:
    try:
        signed: Any = jwt.decode(token, key.pem, algorithms=[key.algorithm], options={"verify_aud": False})
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        return Rejected("bundle_signature_invalid", f"the key {key.keyid} did not sign it: {error}")
    if signed.get("scope", POLICY) != scope:
        return Rejected(
            "bundle_signature_invalid", f"it is signed for the scope {signed.get('scope', '')!r}, not {scope!r}"
        )
    listed = {str(each.get("name")): each for each in objects(signed.get("files"))}
    if listed.keys() != artifact.files.keys():
        return Rejected("bundle_signature_invalid", "its files are not the files that the signature covers")
    for name, content in artifact.files.items():
        if listed[name].get("hash") != hashlib.sha256(content).hexdigest():
            return Rejected("bundle_signature_invalid", f"{name} was changed after signing")
    return None


def unenforceable(metadata: BundleMetadata, standing: EnforcementContext) -> Rejected | None:
    """Return a rejection unless a bundle with these metadata may be enforced here and now."""
    if metadata.environment != standing.environment:
        return Rejected("bundle_of_other_environment", f"{metadata.environment}, not {standing.environment}")
    if metadata.input_schema != standing.input_schema:
        return Rejected("bundle_input_unknown", f"{metadata.input_schema}, not {standing.input_schema}")
    if version_numbers(metadata.lowest_gateway) > version_numbers(standing.version):
        return Rejected("bundle_needs_newer_gateway", f"{metadata.lowest_gateway}; this gateway is {standing.version}")
    if metadata.seq < standing.highest_seq:
        return Rejected("policy_regressed", f"{metadata.seq}, lower than {standing.highest_seq}")
    return _expired(metadata, standing)


def _expired(metadata: BundleMetadata, standing: EnforcementContext) -> Rejected | None:
    if not metadata.not_after:
        return None
    end = moment_of(metadata.not_after)
    if end is None:
        return Rejected("bundle_unreadable", f"invalid expiry {metadata.not_after!r}: expected an RFC 3339 time")
    if standing.unix_ns > end + int(standing.grace_s * 1e9):
        return Rejected("policy_expired", f"it expired at {metadata.not_after}")
    return None


def version_numbers(version: str) -> tuple[float, ...]:
    """Return a version for comparison; a part that is not a number compares higher, so no gateway satisfies it."""
    return tuple(int(part) if _NUMBER.fullmatch(part) else float("inf") for part in version.split("."))
