"""The OPA that a command uses, and the directory that records verified files.

Rule 1: a command that needs OPA installs it, and reports progress on stderr.
"""

import os
from pathlib import Path

import click

from gateway.opa.binary import Unobtainable, obtain


def opa_found() -> Path:
    """Return OPA at the pinned version; end the command if it cannot be installed."""
    try:
        return obtain(lambda line: click.echo(line, err=True))
    except Unobtainable as problem:
        raise click.ClickException(str(problem)) from problem


def remembered() -> Path:
    """Return the directory that records verified files: in the user's cache, never in the policy repository."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "mcp-admission"
