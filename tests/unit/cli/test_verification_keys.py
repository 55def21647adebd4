"""The keys that `--verification-key` names."""

from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import pack
from gateway.artifact.signature_checks import unsigned_by
from gateway.artifact.signing import read_key
from gateway.cli.publishing.hub_options import verifying_keys
from tests.unit.artifact.test_signing import P256, P384, P521, pem, public_pem


@pytest.mark.parametrize(("private", "algorithm"), [(P256, "ES256"), (P384, "ES384")])
def test_a_bundle_is_verified_by_a_key_on_either_curve(
    private: ec.EllipticCurvePrivateKey, algorithm: str, tmp_path: Path
) -> None:
    (tmp_path / "key.pub.pem").write_bytes(public_pem(private))
    (found,) = verifying_keys([tmp_path / "key.pub.pem"])
    assert found.algorithm == algorithm
    read = read_artifact(
        pack({"data.json": b"{}"}, BundleMetadata(environment="dev", seq=1), key=read_key(pem(private))).content
    )
    assert isinstance(read, Artifact)
    assert unsigned_by(read, [found]) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (public_pem(P256) + public_pem(P384), "it contains 2 keys: write each key to a separate file"),
        (public_pem(P521), "curve secp521r1, not on P-256 or P-384"),
        (
            rsa.generate_private_key(65537, 2048)
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "it is not an EC key on curve P-256 or P-384",
        ),
        (pem(P256), "not the PEM text of a public key"),
        (b"", "not the PEM text of a public key"),
    ],
)
def test_a_key_that_cannot_verify_is_refused_with_its_file(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(click.ClickException, match=said) as refused:
        verifying_keys([tmp_path / "key.pem"])
    assert str(tmp_path / "key.pem") in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"absent\.pem cannot be read: No such file"):
        verifying_keys([tmp_path / "absent.pem"])
