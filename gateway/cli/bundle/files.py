"""Bundles as files: parsed strictly, written completely or not at all."""

from pathlib import Path

import click

from gateway.artifact.artifact import MOST_BYTES, Artifact, read_artifact
from gateway.artifact.rejection import Rejected
from gateway.durable_files import create, replace


def artifact_in(place: Path) -> Artifact:
    """Return the artifact of a file; end the command if it is missing or invalid."""
    try:
        with place.open("rb") as file:
            read = read_artifact(file.read(MOST_BYTES + 1))
    except OSError as error:
        raise click.ClickException(f"{place} cannot be read: {error.strerror}.") from error
    if isinstance(read, Rejected):
        raise click.ClickException(f"{place}: {read}.")
    return read


def put(place: Path, content: bytes, *, new: bool = False) -> None:
    """Write a file in one step, so that a concurrent reader never sees half of it; end the command on failure.

    With `new`, an existing file is kept, even one created meanwhile, and the command ends.
    """
    try:
        (create if new else replace)(place, content, mode=0o644)
    except OSError as error:
        raise click.ClickException(f"{place} cannot be written: {error.strerror}.") from error
