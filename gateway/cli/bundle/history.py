"""`mcp-admission bundle history`: the moves of a channel's pointer: who, when, from which bundle to which, and why."""

import json
import sys
from typing import Any

import click
from msgspec import to_builtins

from gateway.cli.live_decisions import escaped
from gateway.cli.publishing.hub_options import place_of, place_options, verifying_keys


@click.command(
    "history",
    epilog="""\b
Examples:
  mcp-admission bundle history --to https://hub.example.com --token-file token --channel production
  mcp-admission bundle history --to /srv/bundles --limit 5 | jq .because
""",
)
@click.option("--channel", default="", help="Show only this channel.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Maximum number of moves.")
@place_options
def command(channel: str, limit: int, **options: Any) -> None:
    """Show the last moves, the newest first: a table, or JSON lines if the output is a pipe."""
    place = place_of(options["to"], options["token_file"], verifying_keys(options["verification_keys"]))
    moves = place.history(channel, limit)
    if not moves:
        what = escaped(channel) or "any channel"
        click.echo(f"No moves of {what} are recorded: `bundle channels` shows the channels.", err=True)
    for move in moves:
        if sys.stdout.isatty():
            before = "nothing" if move.before is None else move.before.revision
            row = f"{move.time}  {move.channel}  {before} -> {move.to.revision}  {move.by}: {move.because}"
            click.echo(escaped(row))
        else:
            click.echo(json.dumps(to_builtins(move)))
