"""Signs bundles the way OPA verifies them (`.signatures.json`, OPA.md section 3.2).

Rule 1: EC keys only, and the curve fixes the algorithm; the key id is the SHA-256 of the public key, so it cannot name
another key.
Rule 2: structured files are hashed over canonical JSON; `pack` writes them in that form, so bytes are what is hashed.
Rule 3: what is no key says what it is instead, never what it holds.
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
    """A private key and what OPA must know to verify with it."""

    private: ec.EllipticCurvePrivateKey
    keyid: str
    public_pem: str
    algorithm: Curve = "ES256"


def ephemeral_key() -> SigningKey:
    """A new key that lives as long as this process."""
    return _described(ec.generate_private_key(ec.SECP256R1()), "ES256")


def read_key(pem: bytes) -> SigningKey:
    """The private key of a PEM text; ValueError says what else it is."""
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
    """Raise ValueError if a PEM text holds several keys of a kind: a reader would take the first and not the others."""
    count = len(re.findall(rb"^-----BEGIN [A-Z ]*%b KEY-----" % kind.encode(), pem, re.MULTILINE))
    if count > 1:
        raise ValueError(f"it holds {count} keys: write each into a file of its own, and name every file")


def algorithm_of(curve: ec.EllipticCurve) -> Curve:
    """The algorithm of keys on a curve; ValueError for curves that bundles are not signed with."""
    if curve.name not in CURVES:
        raise ValueError(f"it is an EC key on curve {curve.name}, not on P-256 or P-384")
    return CURVES[curve.name]


def unsuitable(key: Any) -> str:
    """Why bundles are not signed with a key that is no EC key."""
    if isinstance(key, _EDWARDS):
        return f"it is an EdDSA key, and OPA 1.22 does not verify EdDSA: take an EC key on P-256 ({MAKE})"
    return f"it is no EC key on curve P-256 or P-384 ({MAKE} makes one)"


def keyid_of(public_pem: bytes) -> str:
    """The id under which a public key (PEM, SubjectPublicKeyInfo) is known."""
    return hashlib.sha256(public_pem).hexdigest()[:16]


def _described(private: ec.EllipticCurvePrivateKey, algorithm: Curve) -> SigningKey:
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(private, keyid_of(pem), pem.decode(), algorithm)


def signatures(files: Mapping[str, bytes], key: SigningKey, *, scope: str = "") -> bytes:
    """The content of `.signatures.json` over `files` (names without a leading slash), for one use, the scope."""
    listed = [
        {"name": name, "hash": hashlib.sha256(files[name]).hexdigest(), "algorithm": "SHA-256"}
        for name in sorted(files)
    ]
    claims = {"files": listed, "keyid": key.keyid} | ({"scope": scope} if scope else {})
    token = jwt.encode(claims, key.private, algorithm=key.algorithm)
    return orjson.dumps({"signatures": [token]})
