"""Bundles as files: read strictly, written whole or not at all."""

from pathlib import Path

import click

from gateway.artifact.artifact import MOST_BYTES, Artifact, read_artifact
from gateway.artifact.rejection import Rejected
from gateway.durable_files import create, replace


def artifact_in(place: Path) -> Artifact:
    """The artifact of a file; ends the command where there is none."""
    try:
        with place.open("rb") as file:
            read = read_artifact(file.read(MOST_BYTES + 1))
    except OSError as error:
        raise click.ClickException(f"{place} cannot be read: {error.strerror}.") from error
    if isinstance(read, Rejected):
        raise click.ClickException(f"{place}: {read}.")
    return read


def put(place: Path, content: bytes, *, new: bool = False) -> None:
    """Write a file so that nobody ever sees half of it; ends the command where that is not possible.

    With `new` one that is there stays, whoever was faster, and ends the command.
    """
    try:
        (create if new else replace)(place, content, mode=0o644)
    except OSError as error:
        raise click.ClickException(f"{place} cannot be written: {error.strerror}.") from error
