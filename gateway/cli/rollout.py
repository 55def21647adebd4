"""`mcp-admission rollout`: the live gateways that enforce a revision, shown live."""

from pathlib import Path
from typing import Any

import click

from gateway.cli.publishing.hub_client import remote
from gateway.cli.publishing.hub_options import hub_options
from gateway.cli.publishing.rollout_barrier import RolloutBarrier, waited


@click.command(
    "rollout",
    short_help="Show which gateways enforce a revision.",
    epilog="""\b
Examples:
  mcp-admission rollout production@0f2c4e6a8b1d.42 --hub https://hub.example.com --token-file token
  mcp-admission rollout production@0f2c4e6a8b1d.42 --hub https://hub.example.com --channel canary --deadline 600
""",
)
@click.argument("revision")
@click.option(
    "--channel", default="", help="Gateways of this channel (default: the channel that was last moved to the revision)."
)
@click.option("--deadline", type=click.FloatRange(0.1, 86_400), default=60, show_default=True, help="Seconds to wait.")
@click.option(
    "--at-least", type=click.IntRange(min=0), default=1, show_default=True, help="Number of gateways that must confirm."
)
@hub_options
def command(revision: str, channel: str, url: str, token_file: Path | None, **options: Any) -> None:
    """Show with a progress bar which live gateways enforce REVISION, until all do.

    At the deadline the exit code is 1, and the output names the gateways that do not enforce it and why.
    """
    barrier = RolloutBarrier(
        revision=revision, channel=channel, deadline_s=options["deadline"], at_least=options["at_least"]
    )
    if not waited(remote(url, token_file), barrier):
        raise SystemExit(1)
