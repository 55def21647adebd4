"""Sign bundles in the form that OPA verifies (`.signatures.json`, OPA.md section 3.2).

Rule 1: only EC keys are used, and the curve determines the algorithm. The key id is the SHA-256 of the public key, so
it cannot name another key.
Rule 2: OPA hashes structured files as canonical JSON. `pack` writes that form, so the bytes of the file are hashed.
Rule 3: the error for an unusable key names the type of the content, never the content.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import jwt
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from msgspec import Struct

Curve = Literal["ES256", "ES384"]
CURVES: Final[Mapping[str, Curve]] = {"secp256r1": "ES256", "secp384r1": "ES384"}
MAKE: Final = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem"
_EDWARDS: Final = (
    ed25519.Ed25519PrivateKey,
    ed25519.Ed25519PublicKey,
    ed448.Ed448PrivateKey,
    ed448.Ed448PublicKey,
)


class SigningKey(Struct, frozen=True):
    """A private key, and the values that OPA needs to verify its signatures."""

    private: ec.EllipticCurvePrivateKey
    keyid: str
    public_pem: str
    algorithm: Curve = "ES256"


def ephemeral_key() -> SigningKey:
    """Return a new key, which is kept only in this process."""
    return _described(ec.generate_private_key(ec.SECP256R1()), "ES256")


def read_key(pem: bytes) -> SigningKey:
    """Return the private key of a PEM text; raise ValueError if it cannot be used."""
    only_one(pem, "PRIVATE")
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ValueError("it is encrypted: decrypt it, or print it with --key-command") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"it is not the PEM text of a private key ({MAKE} makes one)") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError(unsuitable(private))  # noqa: TRY004 - the value of a setting is wrong, not a type in the program
    return _described(private, algorithm_of(private.curve))


def only_one(pem: bytes, kind: Literal["PRIVATE", "PUBLIC"]) -> None:
    """Raise ValueError if a PEM text has several keys of a kind: a reader would use the first and ignore the others."""
    count = len(re.findall(rb"^-----BEGIN [A-Z ]*%b KEY-----" % kind.encode(), pem, re.MULTILINE))
    if count > 1:
        raise ValueError(f"it contains {count} keys: write each key to a separate file, and list all files")


def algorithm_of(curve: ec.EllipticCurve) -> Curve:
    """Return the algorithm of keys on a curve; raise ValueError for curves that cannot sign bundles."""
    if curve.name not in CURVES:
        raise ValueError(f"it is an EC key on curve {curve.name}, not on P-256 or P-384")
    return CURVES[curve.name]


def unsuitable(key: Any) -> str:
    """Return why a key that is not an EC key cannot sign bundles."""
    if isinstance(key, _EDWARDS):
        return f"it is an EdDSA key, and OPA 1.22 cannot verify EdDSA: use an EC key on P-256 ({MAKE})"
    return f"it is not an EC key on curve P-256 or P-384 ({MAKE} makes one)"


def keyid_of(public_pem: bytes) -> str:
    """Return the id of a public key (PEM, SubjectPublicKeyInfo)."""
    return hashlib.sha256(public_pem).hexdigest()[:16]


def _described(private: ec.EllipticCurvePrivateKey, algorithm: Curve) -> SigningKey:
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(private, keyid_of(pem), pem.decode(), algorithm)


def signatures(files: Mapping[str, bytes], key: SigningKey, *, scope: str = "") -> bytes:
    """Return the content of `.signatures.json` over `files` (names without a leading slash) for one scope."""
    listed = [
        {"name": name, "hash": hashlib.sha256(files[name]).hexdigest(), "algorithm": "SHA-256"}
        for name in sorted(files)
    ]
    claims = {"files": listed, "keyid": key.keyid} | ({"scope": scope} if scope else {})
    token = jwt.encode(claims, key.private, algorithm=key.algorithm)
    return orjson.dumps({"signatures": [token]})
