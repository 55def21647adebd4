"""The option that says where the policy repository is: `--policy DIR` in every command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.cli.renamed_options import renamed

_Command = TypeVar("_Command", bound=Callable[..., Any])


def policy_place(function: _Command) -> _Command:
    """Add the option; the working directory counts if it is not given."""
    option = click.option(
        "-d",
        "--policy",
        "directory",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help="The policy repository; the working directory if not given.",
    )
    return option(renamed("--directory", new="--policy")(function))
