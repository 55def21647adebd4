"""The signing key of a command: from a file, from the environment, or from a command that prints it.

Rule 1: there is not a default key, and exactly one source must be named.
Rule 2: a key is never shown: an error repeats neither the content of a file nor the output of a command.
"""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from gateway.artifact.signing import SigningKey, read_key

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DEADLINE_S: Final = 60
_MOST_BYTES: Final = 64 * 1024


def key_options(function: _Command) -> _Command:
    """Add the three options that name a signing key."""
    options = (
        click.option(
            "--key-file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="PEM file of an EC key on curve P-256 or P-384.",
        ),
        click.option("--key-env", metavar="NAME", help="Environment variable that contains the PEM text."),
        click.option(
            "--key-command", metavar="COMMAND", help="Command that prints the PEM text, such as `pass show policy`."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def signing_key(*, key_file: Path | None, key_env: str | None, key_command: str | None) -> SigningKey:
    """Return the key that the options name; end the command if it is missing or invalid."""
    named = {"--key-file": key_file, "--key-env": key_env, "--key-command": key_command}
    given = [option for option, value in named.items() if value]
    if len(given) != 1:
        raise click.UsageError(f"Name the signing key with exactly one of {', '.join(named)}.")
    pem = _of_file(key_file) if key_file else _of_environment(key_env) if key_env else _printed(key_command or "")
    try:
        return read_key(pem)
    except ValueError as error:
        raise click.ClickException(f"{given[0]} does not name a valid signing key: {error}.") from error


def _of_file(place: Path) -> bytes:
    try:
        with place.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise click.ClickException(f"{place} cannot be read: {error.strerror}.") from error


def _of_environment(name: str) -> bytes:
    if name not in os.environ:
        raise click.ClickException(f"The environment variable {name} is not set.")
    return os.environ[name].encode()


def _printed(command: str) -> bytes:
    """Return the output of a command; it may ask at the terminal, and it is not run by a shell."""
    try:
        words = shlex.split(command)
        ran = subprocess.run(words, stdout=subprocess.PIPE, timeout=_DEADLINE_S, check=False)
    except (ValueError, IndexError, OSError) as error:
        raise click.ClickException(f"The command of --key-command does not start: {error}.") from error
    except subprocess.TimeoutExpired as error:
        raise click.ClickException(f"The command of --key-command took longer than {_DEADLINE_S} s.") from error
    if ran.returncode:
        raise click.ClickException(f"The command of --key-command exited with code {ran.returncode}.")
    return ran.stdout[:_MOST_BYTES]
