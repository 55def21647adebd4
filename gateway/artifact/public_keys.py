"""Read the public keys that verify bundles from files.

Rule 1: a key that OPA cannot verify with is refused here with an explanation. OPA 1.22 supports ES, RS and PS, and does
not support EdDSA.
Rule 2: the default id of a key is derived from the key, the same way as for signing, so that it is not written twice.
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
    """The file and the use of a public key; without a `keyid`, the id is derived from the key."""

    file: Path
    keyid: str = ""
    algorithm: Algorithm = "ES256"


def verifying_key(at: KeyFile) -> VerifyingKey:
    """Return the key in a file; raise OSError if it cannot be read, or ValueError if it cannot be used."""
    content = at.file.read_bytes()
    try:
        only_one(content, "PUBLIC")
    except ValueError as error:
        raise ValueError(f"{at.file} cannot be used: {error}") from error
    try:
        public = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{at.file} is not a PEM public key (openssl pkey -in KEY -pubout)") from error
    if not isinstance(public, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        raise ValueError(  # noqa: TRY004 - the content of a file is wrong, not a type in the program
            f"{at.file} contains a key that OPA cannot verify with (it does not support EdDSA): "
            "use EC on P-256 (openssl ecparam -name prime256v1 -genkey)"
        )
    if not _fits(public, at.algorithm):
        raise ValueError(f"{at.file} is not a key for {at.algorithm}: correct `algorithm`, or name another file")
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    keyid = at.keyid or hashlib.sha256(pem).hexdigest()[:16]
    return VerifyingKey(keyid=keyid, pem=pem.decode(), algorithm=at.algorithm)


def _fits(public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, algorithm: Algorithm) -> bool:
    if isinstance(public, rsa.RSAPublicKey):
        return algorithm not in _CURVES
    return public.curve.name == _CURVES.get(algorithm)
