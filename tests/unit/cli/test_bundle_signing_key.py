"""A signing key comes from exactly one named source, and is never shown."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gateway.cli.bundle.signing_key import key_options, signing_key


def pem(private: Any) -> str:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


KEY, EDDSA = pem(ec.generate_private_key(ec.SECP256R1())), pem(ed25519.Ed25519PrivateKey.generate())


@click.command()
@key_options
def command(**key: Any) -> None:
    click.echo(signing_key(**key).keyid)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "key.pem").write_text(KEY)
    return tmp_path / "key.pem"


def printing(place: Path) -> str:
    return shlex.join([sys.executable, "-c", "import sys; print(open(sys.argv[1]).read())", str(place)])


def test_the_same_key_is_read_from_each_place(place: Path) -> None:
    ways = [["--key-file", str(place)], ["--key-env", "K"], ["--key-command", printing(place)]]
    results = [CliRunner(env={"K": KEY}).invoke(command, way) for way in ways]
    assert [result.exit_code for result in results] == [0, 0, 0], results
    assert len({result.stdout for result in results}) == 1


@pytest.mark.parametrize("words", [[], ["--key-env", "K", "--key-command", "true"], ["--key-env", ""]])
def test_exactly_one_place_is_named(words: list[str]) -> None:
    result = CliRunner(env={"K": KEY}).invoke(command, words)
    assert result.exit_code == 2
    assert "Name the signing key with exactly one of --key-file, --key-env, --key-command." in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--key-env", "ABSENT"], "The environment variable ABSENT is not set"),
        (["--key-env", "NONSENSE"], "--key-env does not name a valid signing key: it is not the PEM text of a private"),
        (["--key-env", "EDDSA"], "OPA 1.22 cannot verify EdDSA"),
        (["--key-command", "/no/such/program"], "does not start"),
        (["--key-command", "'"], "does not start"),
        (["--key-command", "   "], "does not start"),
        (["--key-command", "false"], "exited with code 1"),
        (["--key-command", "echo leaked-secret"], "--key-command does not name a valid signing key"),
        (["--key-command", "echo $HOME; cat key"], "does not name a valid signing key"),
    ],
)
def test_an_invalid_key_is_reported_and_not_shown(words: list[str], said: str) -> None:
    environment = {"NONSENSE": "leaked-secret", "EDDSA": EDDSA}
    result = CliRunner(env=environment).invoke(command, words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "leaked-secret" not in result.output
    assert EDDSA.splitlines()[1] not in result.output
