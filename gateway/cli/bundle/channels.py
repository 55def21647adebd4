"""`mcp-admission bundle channels`: the bundle that each channel points to."""

import json
import sys
from typing import Any

import click
from msgspec import to_builtins

from gateway.cli.live_decisions import escaped
from gateway.cli.publishing.hub_options import place_of, place_options, verifying_keys


@click.command(
    "channels",
    epilog="""\b
Examples:
  mcp-admission bundle channels --to https://hub.example.com --token-file token
  mcp-admission bundle channels --to /srv/bundles | jq .revision
""",
)
@place_options
def command(**options: Any) -> None:
    """Show the bundle of each channel, since when, by whom and why: a table, or JSON lines if the output is a pipe."""
    place = place_of(options["to"], options["token_file"], verifying_keys(options["verification_keys"]))
    channels = place.known().channels
    if not channels:
        click.echo("No channels found: `bundle publish` creates one.", err=True)
    for _, pointer in sorted(channels.items()):
        if sys.stdout.isatty():
            row = f"{pointer.channel:16}  {pointer.revision:44}  {pointer.since}  {pointer.by}: {pointer.because}"
            click.echo(escaped(row))
        else:
            click.echo(json.dumps(to_builtins(pointer)))
