"""Which journal a command reads."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.journal.names import segments
from gateway.settings import Settings, load, unknown_variables

_Command = TypeVar("_Command", bound=Callable[..., Any])


def place(function: _Command) -> _Command:
    """Add the options that say which journal is meant."""
    path = click.Path(path_type=Path)
    function = click.option("--config", type=path, help="Settings file of the gateway whose journal it is.")(function)
    return click.option("--directory", type=path, help="The journal's directory.")(function)


def journal_directory(directory: Path | None, config: Path | None, *, option: str = "--directory") -> Path:
    """Return where the journal is: as the option says, as the settings say, or where they would put it by default."""
    found = directory or _configured(config)
    if not found.is_dir():
        raise click.ClickException(f"There is no journal at {found}. Say where it is: {option} DIR or --config FILE.")
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
