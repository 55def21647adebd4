"""The option for the policy repository: `--policy DIR` in every command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.cli.renamed_options import renamed

_Command = TypeVar("_Command", bound=Callable[..., Any])


def policy_place(function: _Command) -> _Command:
    """Add the option; the default is the working directory."""
    option = click.option(
        "-d",
        "--policy",
        "directory",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help="The policy repository (default: the working directory).",
    )
    return option(renamed("--directory", new="--policy")(function))
