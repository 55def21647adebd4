"""`mcp-admission bundle publish`: one bundle becomes what a channel points to.

Rule 1: the pointer moves only from what it pointed to when the command began: of two publishers one gets a conflict.
Rule 2: with --wait success means that gateways enforce it, not that a hub has it.
Rule 3: what was taken back does not come back by itself: a pipeline that publishes every week is told so.
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
@click.option("--again", is_flag=True, help="Publish content that was taken back by the rollback that is in force.")
@wait_options
@place_options
def command(file: Path, *, again: bool, **options: Any) -> None:
    """Upload the signed bundle FILE, and let the channel point to it.

    The place refuses what is not signed by a key that it knows, what is past its end, and what has not a higher
    sequence number than everything that was published before. A hub knows keys by its settings, a directory by
    --verification-key. The revision is printed.
    """
    place, content, wanted = opened(options, new=True), file.read_bytes(), publication(options)
    known = place.known()
    if not again:
        _refuse_what_was_taken_back(place, content, known.channels.get(wanted.channel))
    published(place, content, wanted, known)


class Publication(Struct, frozen=True, kw_only=True):
    """Where a bundle goes, why, and how long its gateways are waited for; None: not at all."""

    channel: str
    because: str
    wait_s: float | None
    at_least: int


def publication(options: Mapping[str, Any]) -> Publication:
    """The publication that the options of a command say."""
    return Publication(
        channel=options["channel"],
        because=options["because"],
        wait_s=options["deadline"] if options["wait"] else None,
        at_least=options["at_least"],
    )


def opened(options: Mapping[str, Any], *, new: bool = False) -> PublishTarget:
    """The place that the options name, begun there with `new`; ends the command where nobody can be waited for."""
    place = place_of(options["to"], options["token_file"], verifying_keys(options["verification_keys"]), new=new)
    if options["wait"] and not isinstance(place, HubClient):
        raise click.UsageError("A directory knows no gateways: --wait needs a hub.")
    return place


def _refuse_what_was_taken_back(place: PublishTarget, content: bytes, in_force: Pointer | None) -> None:
    artifact = read_artifact(content)
    if in_force is None or isinstance(artifact, Rejected):
        return  # what is wrong with it, the place says
    reverted = taken_back(place, in_force.mark)
    if reverted and content_of(reverted) == content_of(artifact.revision):
        raise click.ClickException(
            f"{reverted} has this content, and {in_force.by} took it back: {in_force.because!r}. Nothing was published."
            " Take the commit back too, or mend it; --again publishes it nevertheless."
        )


def taken_back(place: PublishTarget, mark: Mark) -> str:
    """The revision that this artifact reverts; empty where it is no rollback."""
    artifact = read_artifact(place.content(mark.digest))
    return artifact.manifest.metadata.reverts if isinstance(artifact, Artifact) else ""


def published(place: PublishTarget, content: bytes, wanted: Publication, known: PublishedChannels) -> None:
    """Upload, point where the channel is still what was `known`, and settle."""
    before = known.channels.get(wanted.channel)
    mark = place.upload(content)
    expected = None if before is None else before.digest
    settled(place, place.point(wanted.channel, mark.digest, because=wanted.because, expected=expected), wanted)


def settled(place: PublishTarget, pointer: Pointer, wanted: Publication) -> None:
    """Print the revision, and wait where that is wanted; ends the command where that was in vain."""
    click.echo(f"{pointer.channel} points to {pointer.revision} since {pointer.since}", err=True)
    click.echo(pointer.revision)
    if wanted.wait_s is None or not isinstance(place, HubClient):
        return
    barrier = RolloutBarrier(
        revision=pointer.revision, channel=pointer.channel, deadline_s=wanted.wait_s, at_least=wanted.at_least
    )
    if not waited(place, barrier):
        raise SystemExit(1)
