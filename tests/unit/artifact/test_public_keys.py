"""Reading of public keys from files."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.artifact.public_keys import KeyFile, verifying_key
from gateway.artifact.signature_checks import Algorithm
from gateway.artifact.signing import ephemeral_key


def public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


RSA = public(rsa.generate_private_key(65537, 2048))
P384 = public(ec.generate_private_key(ec.SECP384R1()))


def test_a_key_has_its_derived_id_unless_a_keyid_is_given(tmp_path: Path) -> None:
    key, file = ephemeral_key(), tmp_path / "key.pem"
    file.write_text(f"\n{key.public_pem}\n")
    found = verifying_key(KeyFile(file=file))
    assert (found.keyid, found.pem, found.algorithm) == (key.keyid, key.public_pem, "ES256")
    assert verifying_key(KeyFile(file=file, keyid="policy")).keyid == "policy"


@pytest.mark.parametrize(("pem", "algorithm"), [(RSA, "RS256"), (RSA, "PS512"), (P384, "ES384")])
def test_every_algorithm_of_opa_accepts_its_keys(tmp_path: Path, pem: bytes, algorithm: Algorithm) -> None:
    (tmp_path / "key.pem").write_bytes(pem)
    assert verifying_key(KeyFile(file=tmp_path / "key.pem", algorithm=algorithm)).algorithm == algorithm


@pytest.mark.parametrize(
    ("content", "algorithm", "wanted"),
    [
        (b"", "ES256", "is not a PEM public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "ES256", "is not a PEM public key"),
        (public(Ed25519PrivateKey.generate()), "ES256", "it does not support EdDSA"),
        (RSA, "ES256", "is not a key for ES256"),
        (RSA + P384, "RS256", "key.pem cannot be used: it contains 2 keys"),
        (P384, "ES256", "is not a key for ES256"),
        (P384, "RS256", "is not a key for RS256"),
    ],
)
def test_the_error_for_an_unusable_file_states_the_reason(
    tmp_path: Path, content: bytes, algorithm: Algorithm, wanted: str
) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(ValueError, match=wanted):
        verifying_key(KeyFile(file=tmp_path / "key.pem", algorithm=algorithm))


def test_the_error_for_a_private_key_does_not_contain_the_key(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - this test alone writes a private key
        NoEncryption,
        PrivateFormat,
    )

    pem = ephemeral_key().private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    with pytest.raises(ValueError, match="is not a PEM public key") as raised:
        verifying_key(KeyFile(file=tmp_path / "key.pem"))
    assert pem.decode().splitlines()[1] not in str(raised.value)
