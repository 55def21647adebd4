"""The signing key of a command: from a file, from an environment variable, or from what another program prints.

Rule 1: exactly one of the three is given; the key is never written anywhere, nor told in an error.
Rule 2: ES256 only: OPA verifies no EdDSA signature, so such a key is refused before anything is signed with it.
"""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519

from gateway.bundle.signing import SigningKey, read_key

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SECONDS: Final = 60
_EDDSA: Final = "it is an EdDSA key, which OPA cannot verify: use an EC key on curve P-256 (ES256)"


def key_options(function: _Command) -> _Command:
    """Add the options that say where the signing key is."""
    path = click.Path(dir_okay=False, path_type=Path)
    for option in (
        click.option("--key-command", help="A command that prints the key in PEM, such as `op read op://ci/key`."),
        click.option("--key-env", help="The name of an environment variable that holds the key in PEM."),
        click.option("--key-file", type=path, help="A file with the key in PEM: an EC key on curve P-256."),
    ):
        function = option(function)
    return function


def signing_key(file: Path | None, env: str | None, command: str | None) -> SigningKey:
    """The key; ends the command where there is none, or where it cannot sign what OPA verifies."""
    given = [each for each in (file, env, command) if each]
    if len(given) != 1:
        raise click.UsageError("Say where the signing key is: one of --key-file, --key-env, --key-command.")
    place = str(given[0])
    pem = _from_file(file) if file else _from_environment(env) if env else _printed(command or "")
    try:
        _refuse_eddsa(pem, place)
        return read_key(pem)
    except (ValueError, TypeError) as error:
        raise click.ClickException(f"{place} gives no signing key: {error}.") from error


def _from_file(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}.") from error


def _from_environment(name: str) -> bytes:
    if name not in os.environ:
        raise click.ClickException(f"The environment variable {name} is not set.")
    return os.environ[name].encode()


def _printed(command: str) -> bytes:
    try:
        ran = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, timeout=_SECONDS, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise click.ClickException(f"The key command cannot be run: {error}.") from error
    if ran.returncode:
        raise click.ClickException(f"The key command ended with {ran.returncode}.")
    return ran.stdout


def _refuse_eddsa(pem: bytes, place: str) -> None:
    private = serialization.load_pem_private_key(pem, password=None)
    if isinstance(private, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        raise click.ClickException(f"{place} gives no signing key: {_EDDSA}.")
