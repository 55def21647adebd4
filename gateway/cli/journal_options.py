"""Which journal a command reads: `--journal DIR` or `--config FILE` in every command."""

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
    """Add the options that say which journal is meant; the command gets its directory under this name."""
    path = click.Path(path_type=Path)
    config = click.option("--config", type=path, help="Settings file of the gateway whose journal it is.")
    journal = click.option("--journal", name, type=path, help="The journal's directory.")
    return lambda function: journal(config(function))


place: Final = place_as("directory")


def renamed_place(function: _Command) -> _Command:
    """Refuse the name that the option had, with the new one."""
    return renamed("--directory", new="--journal")(function)


def journal_directory(directory: Path | None, config: Path | None) -> Path:
    """Return where the journal is: as the option says, as the settings say, or where they would put it by default."""
    found = directory or _configured(config)
    if not found.is_dir():
        raise click.ClickException(f"There is no journal at {found}. Say where it is: --journal DIR or --config FILE.")
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
