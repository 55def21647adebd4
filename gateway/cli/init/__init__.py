"""`mcp-admission init DIR`: create a policy repository.

Rule 1: the new repository passes `check` and runs unchanged. The templates are real policy, tested as such.
Rule 2: existing files are never overwritten.
"""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import click

from gateway.version import VERSION

_BESIDE: Final = frozenset({".git"})
_OWNER: Final = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")


@click.command(
    "init",
    short_help="Create a policy repository.",
    epilog="""\b
Examples:
  mcp-admission init policies
  mcp-admission init policies --owner security@example.com
  cd policies && mcp-admission check . && mcp-admission serve --config settings.yaml
""",
)
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--owner", default="you@example.com", show_default=True, help="Email address of the owner of the entries."
)
def command(directory: Path, owner: str) -> None:
    """Create a policy repository in DIRECTORY, which must be empty or new.

    It has a requirement of its own with tests, two environments with catalog, agents, rules and scenarios, settings for
    development and production, code owners and a CI workflow. It pins this version of the stock library.
    """
    if not _OWNER.fullmatch(owner):
        raise click.ClickException(f"`{owner}` is not an email address: write it as security@example.com.")
    if directory.exists() and any(one.name not in _BESIDE for one in directory.iterdir()):
        raise click.ClickException(f"{directory} is not empty: name a new or empty directory.")
    made = lay(directory, owner)
    click.echo(f"Created {len(made)} files in {directory}. Next:\n")
    click.echo(f"  cd {directory}")
    click.echo("  mcp-admission check .                          run the checks of CI")
    click.echo(
        "  mcp-admission serve --config settings.yaml     start a gateway; a saved file takes effect immediately"
    )
    click.echo("  git init && git add . && git commit -m first   then rehearse a policy's life cycle (prints timings):")
    click.echo("  bash ci/rehearse.sh                            a hub, two gateways, replay, publish, stop, rollback")


def lay(directory: Path, owner: str) -> list[Path]:
    """Write the templates into a directory and return the created files."""
    made = [(directory / path, text) for path, text in templates(owner)]
    for place, text in made:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8") as file:
            file.write(text)
    return [place for place, _ in made]


def templates(owner: str) -> list[tuple[str, str]]:
    """Return the path and text of every file of a policy repository, sorted."""
    found = _below(files("gateway.cli.init") / "template", "")
    return sorted((path, text.replace("@VERSION@", VERSION).replace("@OWNER@", owner)) for path, text in found)


def _below(place: Traversable, prefix: str) -> list[tuple[str, str]]:
    """Return the files below a directory; a name that begins with `_` gets a `.` instead in the new repository."""
    found: list[tuple[str, str]] = []
    for one in place.iterdir():
        path = prefix + (f".{one.name[1:]}" if one.name.startswith("_") else one.name)
        found += _below(one, f"{path}/") if one.is_dir() else [(path, one.read_text(encoding="utf-8"))]
    return found
