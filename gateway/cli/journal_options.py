"""The journal that a command reads: `--journal DIR` or `--config FILE` in every command."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from gateway.cli.renamed_options import renamed
from gateway.journal.segment_names import segments
from gateway.settings import Settings, load, unknown_variables

_Command = TypeVar("_Command", bound=Callable[..., Any])


def place_as(name: str) -> Callable[[_Command], _Command]:
    """Add the options that select the journal; the command gets its directory under this name."""
    path = click.Path(path_type=Path)
    config = click.option("--config", type=path, help="Settings file of the gateway that writes the journal.")
    journal = click.option("--journal", name, type=path, help="The journal's directory.")
    return lambda function: journal(config(function))


place: Final = place_as("directory")


def renamed_place(function: _Command) -> _Command:
    """Reject the option's former name and show the new one."""
    return renamed("--directory", new="--journal")(function)


def journal_directory(directory: Path | None, config: Path | None) -> Path:
    """Return the journal's directory: from the option, from the settings, or the default of the settings."""
    found = directory or _configured(config)
    if not found.is_dir():
        raise click.ClickException(f"No journal found at {found}. Name it with --journal DIR or --config FILE.")
    if not segments(found):
        click.echo(f"The journal at {found} is empty.", err=True)
    return found


def _configured(config: Path | None) -> Path:
    settings = load(config, os.environ)
    for unknown in unknown_variables(os.environ):
        click.echo(f"Warning: {unknown}", err=True)
    if not isinstance(settings, Settings):
        raise click.ClickException(str(settings))
    return settings.journal.directory
