"""The keys that can sign bundles, and the errors for all others."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import pack
from gateway.artifact.signature_checks import read_verifying_key, unsigned_by
from gateway.artifact.signing import read_key

P256, P384, P521 = (ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()))
EDDSA = (ed25519.Ed25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate())
RSA = rsa.generate_private_key(65537, 2048)


def pem(private: Any, password: bytes = b"") -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def public_pem(private: Any) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize(("private", "algorithm"), [(P256, "ES256"), (P384, "ES384")])
def test_the_public_key_verifies_the_signature_of_the_private_key(private: Any, algorithm: str) -> None:
    signing, verifying = read_key(pem(private)), read_verifying_key(public_pem(private))
    assert (signing.algorithm, verifying.algorithm) == (algorithm, algorithm)
    assert (signing.keyid, signing.public_pem) == (verifying.keyid, verifying.pem)
    read = read_artifact(pack({"data.json": b"{}"}, BundleMetadata(environment="dev", seq=1), key=signing).content)
    assert isinstance(read, Artifact)
    assert unsigned_by(read, [verifying]) is None
    assert unsigned_by(read, []) is not None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not the PEM text of a private key"),
        (b"-----BEGIN PRIVATE KEY-----\n", "not the PEM text of a private key"),
        (public_pem(P256), "not the PEM text of a private key"),
        (pem(P256, b"secret"), "it is encrypted"),
        (pem(P256) + pem(P384), "contains 2 keys: write each key to a separate file"),
        (pem(P521), "curve secp521r1, not on P-256 or P-384"),
        (pem(RSA), "not an EC key on curve P-256 or P-384"),
        *[(pem(key), "OPA 1.22 cannot verify EdDSA") for key in EDDSA],
    ],
)
def test_the_error_for_an_unusable_signing_key_states_the_reason(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_key(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not the PEM text of a public key"),
        (pem(P256), "not the PEM text of a public key"),
        (public_pem(P521), "curve secp521r1, not on P-256 or P-384"),
        (public_pem(RSA), "not an EC key on curve P-256 or P-384"),
        *[(public_pem(key), "OPA 1.22 cannot verify EdDSA") for key in EDDSA],
    ],
)
def test_the_error_for_an_unusable_verifying_key_states_the_reason(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_verifying_key(content)


@pytest.mark.parametrize("others", [(P256, P384), (P256, P256, RSA)])
def test_a_file_with_several_public_keys_is_refused(others: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=f"contains {len(others)} keys: write each key to a separate file"):
        read_verifying_key(b"".join(map(public_pem, others)))


def test_ec_parameters_and_the_public_key_do_not_count_as_further_keys() -> None:
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    own = P256.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    assert read_key(parameters + own + public_pem(P256)).algorithm == "ES256"
