"""Signs bundles the way OPA verifies them (`.signatures.json`, OPA.md section 3.2).

Rule 1: ES256 only; the key id is the SHA-256 of the public key, so it cannot name another key.
Rule 2: structured files are hashed over canonical JSON; `pack` writes them in that form, so bytes are what is hashed.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

ALGORITHM: Final = "ES256"


class SigningKey(Struct, frozen=True):
    """A private key and what OPA must know to verify with it."""

    private: ec.EllipticCurvePrivateKey
    keyid: str
    public_pem: str


def ephemeral_key() -> SigningKey:
    """A new key that lives as long as this process."""
    return _described(ec.generate_private_key(ec.SECP256R1()))


def read_key(pem: bytes) -> SigningKey:
    """The P-256 private key of a PEM file; ValueError says what else it is."""
    private = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise ValueError(  # noqa: TRY004 - the value of a setting is wrong, not a type in the program
            "the signing key is not an EC key on curve P-256 (openssl ecparam -name prime256v1 -genkey)"
        )
    return _described(private)


def _described(private: ec.EllipticCurvePrivateKey) -> SigningKey:
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(private, hashlib.sha256(pem).hexdigest()[:16], pem.decode())


def signatures(files: Mapping[str, bytes], key: SigningKey, *, scope: str = "") -> bytes:
    """The content of `.signatures.json` over `files` (names without a leading slash), for one use, the scope."""
    listed = [
        {"name": name, "hash": hashlib.sha256(files[name]).hexdigest(), "algorithm": "SHA-256"}
        for name in sorted(files)
    ]
    claims = {"files": listed, "keyid": key.keyid} | ({"scope": scope} if scope else {})
    token = jwt.encode(claims, key.private, algorithm=ALGORITHM)
    return orjson.dumps({"signatures": [token]})
