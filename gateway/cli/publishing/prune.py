"""`mcp-admission hub prune`: remove artifacts that are not needed any more from a hub's directory.

Rule 1: nothing is removed without --yes; without it, the output lists the artifacts that --yes would remove.
"""

import getpass
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from gateway.hub.artifact_store import ArtifactStore
from gateway.hub.pruning import Keep, described, prunable, pruned
from gateway.hub.settings import HubSettings, load

_NS: Final = 1_000_000_000
_MIB: Final = 1 << 20


@click.command(
    "prune",
    short_help="Remove artifacts that are not needed any more.",
    epilog="""\b
Examples:
  mcp-admission hub prune --config hub.yaml --keep-days 400          # shows what would be removed
  mcp-admission hub prune --dir /srv/hub --keep-days 400 --keep-last 20 --yes
""",
)
@click.option(
    "--config", type=click.Path(dir_okay=False, exists=True, path_type=Path), help="Settings file of the hub."
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Directory of the hub, instead of --config.",
)
@click.option(
    "--keep-days",
    type=click.IntRange(1, 36_500),
    required=True,
    help="Keep artifacts stored or in force within this many days; use the retention of your journals, for `explain`.",
)
@click.option(
    "--keep-last",
    type=click.IntRange(2, 100_000),
    default=10,
    show_default=True,
    help="Also keep this many of the last revisions of each channel.",
)
@click.option("--yes", is_flag=True, help="Remove the artifacts instead of only listing them.")
def command(config: Path | None, directory: Path | None, keep_days: int, keep_last: int, *, yes: bool) -> None:
    """List, and with --yes remove, artifacts that no channel points to and that were not used for a long time.

    The hub may run meanwhile. A later request for a removed artifact, such as a rollback, gets an error that names the
    commit to build it from.
    """
    keep = Keep(days=keep_days, last=keep_last)
    try:
        store = ArtifactStore(_directory(config, directory))
        count = _remove(store, keep) if yes else _show(store, keep)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(
            f"{where}{error.strerror or error}. The remaining artifacts were not removed."
        ) from error
    click.echo(f"{count} artifacts {'removed' if yes else 'would be removed; --yes removes them'}", err=True)


def _directory(config: Path | None, directory: Path | None) -> Path:
    if (config is None) == (directory is None):
        raise click.UsageError("Give either --config FILE or --dir DIR.")
    if config is not None:
        settings = load(config)
        if not isinstance(settings, HubSettings):
            raise click.ClickException(f"These settings cannot be used:\n{settings}")
        directory = settings.directory
    if directory is None or not (directory / "artefacts").is_dir():
        raise click.ClickException(f"{directory} is not a hub directory: it does not have artefacts/.")
    return directory


def _show(store: ArtifactStore, keep: Keep) -> int:
    now = time.time_ns()
    found = prunable(store, keep, now)
    for each in found:
        used = datetime.fromtimestamp(each.used_unix_ns // _NS, UTC).date()
        revision = described(store, each.digest, "", now).revision
        click.echo(f"{revision:44}  {each.digest}  {each.size / _MIB:8.2f} MiB  last used {used}")
    return len(found)


def _remove(store: ArtifactStore, keep: Keep) -> int:
    count = 0
    for line in pruned(store, keep, getpass.getuser()):
        click.echo(f"{line.revision:44}  {line.digest}")
        count += 1
    return count
