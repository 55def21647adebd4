"""Public keys as their files hold them: what bundles may be signed with.

Rule 1: a key that OPA could not verify with is refused here, in words; OPA 1.22 knows ES, RS and PS, and no EdDSA.
Rule 2: a key's own name is made from the key, as signing makes it, so that it need not be written twice.
"""

import hashlib
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec import Struct

from gateway.artifact.signature_checks import Algorithm, VerifyingKey
from gateway.artifact.signing import only_one

_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}


class KeyFile(Struct, frozen=True, kw_only=True):
    """Where a public key is, and how it is used; without a `keyid` it has the one that is made from it."""

    file: Path
    keyid: str = ""
    algorithm: Algorithm = "ES256"


def verifying_key(at: KeyFile) -> VerifyingKey:
    """The key in a file; raises OSError where it cannot be read, ValueError where it is of no use, both in words."""
    content = at.file.read_bytes()
    try:
        only_one(content, "PUBLIC")
    except ValueError as error:
        raise ValueError(f"{at.file} cannot be used: {error}") from error
    try:
        public = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{at.file} holds no PEM public key (openssl pkey -in KEY -pubout)") from error
    if not isinstance(public, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        raise ValueError(  # noqa: TRY004 - the content of a file is wrong, not a type in the program
            f"{at.file} holds a key that OPA does not verify with (it knows no EdDSA): "
            "use EC on P-256 (openssl ecparam -name prime256v1 -genkey)"
        )
    if not _fits(public, at.algorithm):
        raise ValueError(f"{at.file} holds no key for {at.algorithm}: correct `algorithm`, or name another file")
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    keyid = at.keyid or hashlib.sha256(pem).hexdigest()[:16]
    return VerifyingKey(keyid=keyid, pem=pem.decode(), algorithm=at.algorithm)


def _fits(public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, algorithm: Algorithm) -> bool:
    if isinstance(public, rsa.RSAPublicKey):
        return algorithm not in _CURVES
    return public.curve.name == _CURVES.get(algorithm)
