"""The OPA that a command uses, and where it remembers what it has verified.

Rule 1: a command that needs OPA obtains it, and says on stderr what it does meanwhile.
"""

import os
from pathlib import Path

import click

from gateway.opa.binary import Unobtainable, obtain


def opa_found() -> Path:
    """OPA at the pinned version; ends the command where there is none."""
    try:
        return obtain(lambda line: click.echo(line, err=True))
    except Unobtainable as problem:
        raise click.ClickException(str(problem)) from problem


def remembered() -> Path:
    """The directory for what was verified before: below the user's cache, never in the policy repository."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "mcp-admission"
