"""Where a command's signing key comes from, and which keys are refused."""

import sys
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from gateway.bundle.signing import ephemeral_key
from gateway.cli.bundle.keys import signing_key
from tests.hubs import private_pem

FORM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(private_pem(ephemeral_key()))
    return path


def test_a_key_comes_from_a_file_the_environment_or_a_command(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", pem.read_text())
    found = {
        signing_key(pem, None, None).keyid,
        signing_key(None, "KEY", None).keyid,
        signing_key(None, None, f"{sys.executable} -c 'print(open(\"{pem}\").read())'").keyid,
    }
    assert len(found) == 1


def test_exactly_one_place_is_given(pem: Path) -> None:
    for given in ((None, None, None), (pem, "KEY", None), (pem, None, "true")):
        with pytest.raises(click.UsageError, match="one of --key-file, --key-env, --key-command"):
            signing_key(*given)


def test_an_eddsa_key_is_refused_because_opa_cannot_verify_it(tmp_path: Path) -> None:
    path = tmp_path / "eddsa.pem"
    path.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(*FORM))
    with pytest.raises(click.ClickException, match="EdDSA key, which OPA cannot verify"):
        signing_key(path, None, None)


def test_another_key_or_none_is_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "rsa.pem"
    path.write_bytes(rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*FORM))
    with pytest.raises(click.ClickException, match="curve P-256"):
        signing_key(path, None, None)
    path.write_text("secret but no PEM")
    with pytest.raises(click.ClickException) as refused:
        signing_key(path, None, None)
    assert str(path) in refused.value.message
    assert "secret but" not in refused.value.message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((Path("/nothing.pem"), None, None), "cannot be read"),
        ((None, "NO_SUCH_KEY", None), "is not set"),
        ((None, None, "/no/such/program"), "cannot be run"),
        ((None, None, "false"), "ended with 1"),
        ((None, None, "'"), "cannot be run"),
    ],
)
def test_a_place_without_a_key_is_said(given: tuple[Path | None, str | None, str | None], said: str) -> None:
    with pytest.raises(click.ClickException, match=said):
        signing_key(*given)
