"""`mcp-admission canary`: selected gateways, chosen by label, follow another channel first.

Rule 1: promoting points the channel to the bundle that the canary has. Nothing is built or signed.
Rule 2: aborting rolls the canary back to the bundle of all other gateways, under a new number, because a gateway never
accepts a lower number.
"""

import json
import sys
from typing import Any

import click
from msgspec import to_builtins

from gateway.cli.bundle.publish import publication, published, settled
from gateway.cli.bundle.rollback import own, reissued, trusted_artifact
from gateway.cli.bundle.signing_key import key_options, signing_key
from gateway.cli.live_decisions import escaped
from gateway.cli.publishing.hub_client import remote
from gateway.cli.publishing.hub_options import (
    because_option,
    hub_options,
    verification_option,
    verifying_keys,
    wait_options,
)
from gateway.cli.publishing.publish_target import PublishedChannels
from gateway.hub.channel_pointer import Assignment, Pointer

_channel = click.option(
    "--channel", default="canary", show_default=True, help="The channel that selected gateways follow first."
)
_instead_of = click.option(
    "--instead-of", default="production", show_default=True, help="The channel that all other gateways follow."
)


@click.group(
    "canary",
    short_help="Roll out a policy to some gateways first: assign, list, promote, abort.",
    epilog="""\b
Examples:
  mcp-admission canary assign --label ring=first --hub https://hub.example.com --token-file token
  mcp-admission canary promote --hub https://hub.example.com --token-file token --because "A quiet day" --wait
  mcp-admission canary abort --hub https://hub.example.com --token-file token --key-file release.pem --because "#43"
""",
)
def command() -> None:
    """Let selected gateways, chosen by label, follow another channel first; then promote it or abort."""


@command.command(
    "assign",
    epilog="""\b
Examples:
  mcp-admission canary assign --label ring=first --hub https://hub.example.com --token-file token
  mcp-admission canary assign --none --hub https://hub.example.com --token-file token
""",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    help="A label that a gateway must have; repeatable, all must match.",
)
@click.option("--none", is_flag=True, help="Assign no gateway. If the canary is ahead, abort first.")
@_channel
@_instead_of
@hub_options
def assign(labels: tuple[str, ...], channel: str, instead_of: str, *, none: bool, **options: Any) -> None:
    """Assign the canary's channel to the gateways that have all these labels; replaces the previous assignment."""
    if bool(labels) == none:
        raise click.UsageError("Choose the gateways with --label, or give --none.")
    pairs = [label.partition("=") for label in labels]
    if any(not name or not separator for name, separator, _ in pairs):
        raise click.UsageError("Write --label as NAME=VALUE.")
    hub = remote(options["url"], options["token_file"])
    kept = [each for each in hub.assignments() if (each.channel, each.instead_of) != (channel, instead_of)]
    wanted = Assignment(channel=channel, instead_of=instead_of, labels={name: value for name, _, value in pairs})
    hub.assign(kept if none else [*kept, wanted])
    click.echo(f"{channel} instead of {instead_of} for {'no gateway' if none else ' and '.join(labels)}", err=True)


@command.command(
    "list",
    epilog="""\b
Examples:
  mcp-admission canary list --hub https://hub.example.com --token-file token
""",
)
@hub_options
def listed(**options: Any) -> None:
    """Show which gateways follow another channel: a table, or JSON lines if the output is a pipe."""
    assignments = remote(options["url"], options["token_file"]).assignments()
    if not assignments:
        click.echo("All gateways follow the channel of their settings.", err=True)
    for each in assignments:
        if sys.stdout.isatty():
            labels = " and ".join(f"{name}={value}" for name, value in each.labels.items())
            click.echo(escaped(f"{each.channel:16}  instead of {each.instead_of:16}  for {labels}"))
        else:
            click.echo(json.dumps(to_builtins(each)))


@command.command(
    "promote",
    epilog="""\b
Examples:
  mcp-admission canary promote --hub https://hub.example.com --token-file token --because "A quiet day" --wait
""",
)
@_channel
@_instead_of
@because_option
@wait_options
@hub_options
def promote(channel: str, instead_of: str, **options: Any) -> None:
    """Point the channel of all other gateways to the canary's bundle."""
    wanted = publication({**options, "channel": instead_of})
    hub = remote(options["url"], options["token_file"])
    known = hub.known()
    canary, rest = _of(known, channel), known.channels.get(instead_of)
    expected = None if rest is None else rest.digest
    settled(hub, hub.point(instead_of, canary.digest, because=wanted.because, expected=expected), wanted)


@command.command(
    "abort",
    epilog="""\b
Examples:
  mcp-admission canary abort --hub https://hub.example.com --token-file token --key-file release.pem --because "#43"
""",
)
@_channel
@_instead_of
@because_option
@verification_option
@wait_options
@key_options
@hub_options
def abort(channel: str, instead_of: str, **options: Any) -> None:
    """Give the canary the bundle of all other gateways, under a new number, signed with your key."""
    key = signing_key(key_file=options["key_file"], key_env=options["key_env"], key_command=options["key_command"])
    hub = remote(options["url"], options["token_file"])
    known = hub.known()
    canary, rest = _of(known, channel), _of(known, instead_of)
    if canary.digest == rest.digest:
        raise click.ClickException(f"{channel} and {instead_of} have the same bundle: there is nothing to abort.")
    old = trusted_artifact(hub, rest.mark, [own(key), *verifying_keys(options["verification_keys"])])
    published(hub, reissued(old, known, canary, key), publication({**options, "channel": channel}), known)


def _of(known: PublishedChannels, channel: str) -> Pointer:
    if channel not in known.channels:
        raise click.ClickException(f"Channel {channel!r} does not point to a bundle: publish one to it first.")
    return known.channels[channel]
