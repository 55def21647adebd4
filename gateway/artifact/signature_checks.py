"""Whether an artifact is what a holder of a valid key signed, and whether it may be enforced here and now.

Rule 1: no signature, no bundle; the key is found by its id (the name that settings give it, or the one that follows
from it) among those that are valid, and fixes the algorithm.
Rule 2: the signed list and the files are the same set, byte for byte: ours are written in the form that OPA hashes.
Rule 3: a signature is for one use, its scope: an emergency document never counts as policy, nor the other way round.
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
from gateway.artifact.json_types import objects
from gateway.artifact.manifest import BundleMetadata, moment_of
from gateway.artifact.rejection import Rejected
from gateway.artifact.signing import algorithm_of, keyid_of, only_one, unsuitable

POLICY: Final = ""
"""The scope of policy bundles: OPA expects none unless it is told one."""
EMERGENCY: Final = "emergency"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


class VerifyingKey(Struct, frozen=True, kw_only=True):
    """A public key that bundles may be signed with."""

    keyid: str
    pem: str
    algorithm: Algorithm = "ES256"


def read_verifying_key(pem: bytes) -> VerifyingKey:
    """The public EC key of a PEM text under the id that signing gives it; ValueError says what else it is."""
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
    """What a bundle's metadata are held against."""

    environment: str
    highest_seq: int
    """The highest sequence number that was enforced here; 0 before the first."""
    unix_ns: int
    version: str
    """This gateway's."""
    input_schema: str
    grace_s: float = 0
    """How long after `not_after` a bundle may still be enforced."""


class _Signatures(Struct):
    signatures: list[str]


def unsigned_by(artifact: Artifact, keys: Sequence[VerifyingKey], scope: str = POLICY) -> Rejected | None:
    """Why the artifact is not signed by one of the keys for this use; None where it is."""
    if artifact.signatures is None:
        return Rejected("bundle_unsigned", "it has no .signatures.json")
    try:
        (token,) = msgspec.json.decode(artifact.signatures, type=_Signatures).signatures
        claimed: Any = jwt.decode(token, options={"verify_signature": False})
    except (msgspec.DecodeError, ValueError, RecursionError, jwt.PyJWTError) as error:
        return Rejected("bundle_signature_invalid", f"its .signatures.json cannot be read: {error}")
    keyid = claimed.get("keyid")
    if not isinstance(keyid, str):
        return Rejected("bundle_signature_invalid", "it names no key")
    for key in keys:
        if keyid in {key.keyid, _fingerprint(key.pem)}:
            return _refuted(artifact, token, key, scope)
    return Rejected("bundle_signature_invalid", f"it names the key {keyid[:100]!r}, which is not valid here")


@lru_cache
def _fingerprint(pem: str) -> str:
    """The id that signing gives this key, whatever the settings call it; empty for keys that are not ours to make."""
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
        return Rejected("bundle_signature_invalid", f"it is signed for the use {signed.get('scope', '')!r}")
    listed = {str(each.get("name")): each for each in objects(signed.get("files"))}
    if listed.keys() != artifact.files.keys():
        return Rejected("bundle_signature_invalid", "other files than the signed ones are in it")
    for name, content in artifact.files.items():
        if listed[name].get("hash") != hashlib.sha256(content).hexdigest():
            return Rejected("bundle_signature_invalid", f"{name} is not what was signed")
    return None


def unenforceable(metadata: BundleMetadata, standing: EnforcementContext) -> Rejected | None:
    """Why a bundle with these metadata may not be enforced here and now; None where it may."""
    if metadata.environment != standing.environment:
        return Rejected("bundle_of_other_environment", f"{metadata.environment}, not {standing.environment}")
    if metadata.input_schema != standing.input_schema:
        return Rejected("bundle_input_unknown", f"{metadata.input_schema}, not {standing.input_schema}")
    if version_numbers(metadata.lowest_gateway) > version_numbers(standing.version):
        return Rejected("bundle_needs_newer_gateway", f"{metadata.lowest_gateway}; this is {standing.version}")
    if metadata.seq < standing.highest_seq:
        return Rejected("policy_regressed", f"{metadata.seq}, after {standing.highest_seq}")
    return _expired(metadata, standing)


def _expired(metadata: BundleMetadata, standing: EnforcementContext) -> Rejected | None:
    if not metadata.not_after:
        return None
    end = moment_of(metadata.not_after)
    if end is None:
        return Rejected("bundle_unreadable", f"its end {metadata.not_after!r} is no time")
    if standing.unix_ns > end + int(standing.grace_s * 1e9):
        return Rejected("policy_expired", f"it ended at {metadata.not_after}")
    return None


def version_numbers(version: str) -> tuple[float, ...]:
    """Return a version for comparison; what is not a number is higher than every number, so no gateway satisfies it."""
    return tuple(int(part) if _NUMBER.fullmatch(part) else float("inf") for part in version.split("."))
