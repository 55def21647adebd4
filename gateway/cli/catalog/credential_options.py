"""The options for a server's credential and certificate authority, and the survey of the server.

Rule 1: a credential is read from a file, never from the command line, which every user of the machine can read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gateway.admission.decision import Credential
from gateway.cli.catalog.http_exchange import Unreachable
from gateway.cli.catalog.survey import Survey, survey
from gateway.pipeline.ports import UpstreamFailure
from gateway.secrets import Secret, SecretStore, load

Command = Callable[..., Any]
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
CA_FILE = click.option("--ca-file", type=_FILE, help="A PEM file with the private certificate authority of the server.")


def connection_options(command: Command) -> Command:
    """Add the options that `secret_from` and `surveyed` take."""
    for option in (
        CA_FILE,
        click.option("--header-file", type=_FILE, help="A file with the line `Header-Name: value` to send."),
        click.option("--credential-file", type=_FILE, help="A file with the bearer token to send."),
        click.option(
            "--secrets",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="The gateway's secrets directory, which contains the credential.",
        ),
    ):
        command = option(command)
    return command


def secret_from(
    *, credential: str | None, secrets: Path | None, credential_file: Path | None, header_file: Path | None
) -> Secret | None:
    """Return the credential that the options name; null if they name none."""
    if credential_file and header_file:
        raise click.UsageError("Give --credential-file or --header-file, not both.")
    path = credential_file or header_file
    if path is not None:
        found = load(path)
        if isinstance(found, str):
            raise click.ClickException(f"{path} {found}.")
        return found
    if credential is None or secrets is None:
        return None
    header = SecretStore(secrets).header(Credential(name=credential, per="shared"), server="", subject="")
    if isinstance(header, UpstreamFailure):
        raise click.ClickException(f"{secrets}: {header.detail}")
    return header


def surveyed(url: str, secret: Secret | None, ca_file: Path | None = None) -> Survey:
    """Return the lists of the server at a URL; end the command if it cannot be queried."""
    try:
        return survey(url, secret, ca_file=ca_file)
    except Unreachable as problem:
        raise click.ClickException(str(problem)) from problem
