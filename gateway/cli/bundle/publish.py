"""`mcp-admission bundle publish`: point a channel to a bundle.

Rule 1: the pointer moves only if it is unchanged since the command began: of two concurrent publishers, one gets a
conflict.
Rule 2: with --wait, success means that the gateways enforce the bundle, not only that a hub has it.
Rule 3: content that was rolled back is not published again by accident, for example by a weekly pipeline.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.rejection import Rejected
from gateway.cli.publishing.hub_client import HubClient
from gateway.cli.publishing.hub_options import (
    because_option,
    channel_option,
    place_of,
    place_options,
    verifying_keys,
    wait_options,
)
from gateway.cli.publishing.publish_target import PublishedChannels, PublishTarget
from gateway.cli.publishing.rollout_barrier import RolloutBarrier, waited
from gateway.hub.channel_pointer import Mark, Pointer, content_of


@click.command(
    "publish",
    epilog="""\b
Examples:
  mcp-admission bundle publish production.tar.gz --to https://hub.example.com --token-file token \\
      --channel production --because "Support may read tickets (#42)" --wait
  mcp-admission bundle publish production.tar.gz --to /srv/bundles --channel production --because "#42"
""",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@channel_option
@because_option
@click.option("--again", is_flag=True, help="Publish content that the rollback in force has reverted.")
@wait_options
@place_options
def command(file: Path, *, again: bool, **options: Any) -> None:
    """Upload the signed bundle FILE and point the channel to it.

    The hub or directory refuses a bundle that is not signed by a known key, has expired, or does not have a higher
    sequence number than every bundle published before. A hub takes the keys from its settings, a directory from
    --verification-key. The revision is printed.
    """
    place, content, wanted = opened(options, new=True), file.read_bytes(), publication(options)
    known = place.known()
    if not again:
        _refuse_what_was_taken_back(place, content, known.channels.get(wanted.channel))
    published(place, content, wanted, known)


class Publication(Struct, frozen=True, kw_only=True):
    """The destination of a bundle, the reason, and the seconds to wait for its gateways; None: do not wait."""

    channel: str
    because: str
    wait_s: float | None
    at_least: int


def publication(options: Mapping[str, Any]) -> Publication:
    """Return the publication that the options of a command describe."""
    return Publication(
        channel=options["channel"],
        because=options["because"],
        wait_s=options["deadline"] if options["wait"] else None,
        at_least=options["at_least"],
    )


def opened(options: Mapping[str, Any], *, new: bool = False) -> PublishTarget:
    """Return the hub or directory that the options name, created with `new`; end the command if it cannot --wait."""
    place = place_of(options["to"], options["token_file"], verifying_keys(options["verification_keys"]), new=new)
    if options["wait"] and not isinstance(place, HubClient):
        raise click.UsageError("--wait needs a hub: a directory does not have gateways to wait for.")
    return place


def _refuse_what_was_taken_back(place: PublishTarget, content: bytes, in_force: Pointer | None) -> None:
    artifact = read_artifact(content)
    if in_force is None or isinstance(artifact, Rejected):
        return  # `upload` reports the problem
    reverted = taken_back(place, in_force.mark)
    if reverted and content_of(reverted) == content_of(artifact.revision):
        raise click.ClickException(
            f"{reverted} has this content, and {in_force.by} took it back with a rollback: {in_force.because!r}."
            " Nothing was published. Revert or fix the commit first, or give --again to publish it anyway."
        )


def taken_back(place: PublishTarget, mark: Mark) -> str:
    """Return the revision that this artifact reverts; empty if it is not a rollback."""
    artifact = read_artifact(place.content(mark.digest))
    return artifact.manifest.metadata.reverts if isinstance(artifact, Artifact) else ""


def published(place: PublishTarget, content: bytes, wanted: Publication, known: PublishedChannels) -> None:
    """Upload the bundle, move the pointer if it is still the `known` one, and finish with `settled`."""
    before = known.channels.get(wanted.channel)
    mark = place.upload(content)
    expected = None if before is None else before.digest
    settled(place, place.point(wanted.channel, mark.digest, because=wanted.because, expected=expected), wanted)


def settled(place: PublishTarget, pointer: Pointer, wanted: Publication) -> None:
    """Print the revision, and wait for the gateways if requested; end the command if that fails."""
    click.echo(f"{pointer.channel} points to {pointer.revision} since {pointer.since}", err=True)
    click.echo(pointer.revision)
    if wanted.wait_s is None or not isinstance(place, HubClient):
        return
    barrier = RolloutBarrier(
        revision=pointer.revision, channel=pointer.channel, deadline_s=wanted.wait_s, at_least=wanted.at_least
    )
    if not waited(place, barrier):
        raise SystemExit(1)
