"""Bundles as files: read strictly, written whole or not at all."""

import tempfile
from pathlib import Path

import click

from gateway.artifact.artifact import MOST_BYTES, Artifact, read_artifact
from gateway.artifact.rejection import Rejected


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
    written: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=place.parent, prefix=f".{place.name}.", delete=False) as scratch:
            written = Path(scratch.name)
            scratch.write(content)
        written.chmod(0o644)
        if new:
            place.hardlink_to(written)
            written.unlink()
        else:
            written.replace(place)
    except OSError as error:
        if written is not None:
            written.unlink(missing_ok=True)
        raise click.ClickException(f"{place} cannot be written: {error.strerror}.") from error
