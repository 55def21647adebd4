"""`mcp-admission serve`: run the gateway from a settings file."""

import os
import sys
from pathlib import Path

import click
from msgspec import structs

from gateway.cli.run_gateway import run, settings_from
from gateway.settings import table


def _listed(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click calls it so
    """Print the settings and exit (the callback of `--settings`)."""
    if wanted:
        click.echo(table(), nl=False)
        ctx.exit()


@click.command(
    "serve",
    short_help="Run the gateway.",
    epilog="""\b
Examples:
  mcp-admission serve --config settings.yaml
  mcp-admission serve --config settings.yaml --workers 2
  MCP_ADMISSION_LISTEN_PORT=9000 mcp-admission serve --config settings.yaml --live
  mcp-admission serve --settings | grep stale
""",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    required=True,
    help="The settings file; MCP_ADMISSION_<SECTION>_<KEY> overrides a setting.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Number of worker processes; overrides the setting `workers`."
)
@click.option("--live", is_flag=True, help="Show decisions as they happen, instead of a JSON log.")
@click.option(
    "--settings",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_listed,
    help="List every setting with its default and purpose, and exit.",
)
def command(config: Path, workers: int | None, *, live: bool) -> None:
    """Run the gateway until a signal stops it. After SIGTERM, running calls are completed first."""
    settings = settings_from(config, dict(os.environ))
    if workers is not None:
        settings = structs.replace(settings, workers=workers)
    sys.exit(run(settings, live=live))
