"""`mcp-admission bundle rollback`: put earlier content in force again.

Rule 1: sequence numbers only increase. The old content is packed under a new, higher number, names the revision that it
reverts, and is signed like any bundle.
Rule 2: content is signed again only if a key that is trusted here signed it before, because its source is not trusted.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

import click
from msgspec import Struct
from msgspec.structs import replace

from gateway.artifact.artifact import MANIFEST, Artifact, read_artifact
from gateway.artifact.manifest import rfc3339
from gateway.artifact.pack import Packed, pack
from gateway.artifact.rejection import Rejected
from gateway.artifact.signature_checks import VerifyingKey, unsigned_by
from gateway.artifact.signing import SigningKey
from gateway.cli.bundle.publish import opened, publication, published, taken_back
from gateway.cli.bundle.signing_key import key_options, signing_key
from gateway.cli.publishing.hub_options import (
    because_option,
    channel_option,
    place_options,
    verifying_keys,
    wait_options,
)
from gateway.cli.publishing.publish_target import PublishedChannels, PublishTarget
from gateway.hub.channel_pointer import Mark, Move, Pointer, content_of

LIFETIME_S: Final = 90 * 86_400
HISTORY: Final = 1000


class Reissue(Struct, frozen=True, kw_only=True):
    """The input of a repacked bundle: the old artifact, the number to exceed, and the revision that it reverts."""

    old: Artifact
    above: int
    reverts: str
    unix_s: float


@click.command(
    "rollback",
    epilog="""\b
Examples:
  mcp-admission bundle rollback --to https://hub.example.com --token-file token --channel production \\
      --key-file release.pem --because "Support was locked out" --wait
  mcp-admission bundle rollback --to /srv/bundles --channel production --revision production@0f2c4e6a8b1d.41 \\
      --key-env SIGNING_KEY --because "Incident 7"
""",
)
@channel_option
@click.option(
    "--revision", default="", help="Revision whose content to publish again (default: the last one with other content)."
)
@because_option
@wait_options
@key_options
@place_options
def command(revision: str, **options: Any) -> None:
    """Publish the previous content of the channel again, under a new number, signed with your key.

    The new bundle names the bundle in force as reverted. The old content must be signed by your key, or by one that
    --verification-key names. The new revision is printed.
    """
    key = signing_key(key_file=options["key_file"], key_env=options["key_env"], key_command=options["key_command"])
    place, wanted = opened(options), publication(options)
    known = place.known()
    in_force = known.channels.get(wanted.channel)
    if in_force is None:
        raise click.ClickException(
            f"{options['to']} has no channel {wanted.channel!r}: `bundle channels` shows its channels."
        )
    trusted = [own(key), *verifying_keys(options["verification_keys"])]
    old = trusted_artifact(place, before(place, in_force, revision), trusted)
    published(place, reissued(old, known, in_force, key), wanted, known)


def reissued(old: Artifact, known: PublishedChannels, in_force: Pointer, key: SigningKey) -> bytes:
    """Return the old content as a bundle that reverts the one in force, and report it."""
    top = known.highest.get(in_force.environment, in_force.mark)
    packed = repacked(Reissue(old=old, above=top.seq, reverts=in_force.revision, unix_s=time.time()), key)
    click.echo(f"{packed.revision} has the content of {old.revision} and reverts {in_force.revision}", err=True)
    return packed.content


def trusted_artifact(place: PublishTarget, wanted: Mark, keys: Sequence[VerifyingKey]) -> Artifact:
    """Return the artifact; end the command if it has another revision, or is not signed by one of the keys."""
    artifact = read_artifact(place.content(wanted.digest))
    wrong = artifact if isinstance(artifact, Rejected) else unsigned_by(artifact, keys)
    if isinstance(artifact, Rejected) or wrong is not None:
        remedy = "Name the key that signed it with --verification-key FILE."
        raise click.ClickException(f"{wanted.revision} is not signed again: {wrong}. {remedy}")
    if artifact.digest != wanted.digest:
        raise click.ClickException(
            f"{wanted.revision} is not the bundle that was published under that name: check the hub or directory."
        )
    return artifact


def repacked(reissue: Reissue, key: SigningKey) -> Packed:
    """Return the old content under a new number."""
    old = reissue.old
    files = {name: content for name, content in old.files.items() if name != MANIFEST}
    metadata = replace(
        old.manifest.metadata,
        seq=reissue.above + 1,
        built=rfc3339(reissue.unix_s),
        not_after=rfc3339(reissue.unix_s + LIFETIME_S),
        reverts=reissue.reverts,
    )
    return pack(files, metadata, key=key, roots=old.manifest.roots)


def before(place: PublishTarget, in_force: Pointer, revision: str) -> Mark:
    """Return the artifact to publish again: that of the revision, or the last one with other content."""
    moves = place.history(in_force.channel, HISTORY)
    if revision:
        found = next((move.to for move in moves if move.to.revision == revision), None)
        if found is None:
            raise click.ClickException(
                f"{in_force.channel} never pointed to {revision!r}. `mcp-admission bundle history` shows its revisions."
            )
        return found
    found = _other(place, in_force, moves)
    if found is not None:
        return found
    raise click.ClickException(
        f"No earlier content to roll back to: before {in_force.revision} there was none, or it was reverted. Choose a"
        " revision with --revision; `mcp-admission bundle history` lists them."
    )


def _other(place: PublishTarget, in_force: Pointer, moves: Sequence[Move]) -> Mark | None:
    """Return the last artifact with other content; content that was published again does not count.

    None if there is none, and if this content is itself a rollback: the content before it was reverted.
    """
    mark = in_force.mark
    for move in moves:
        if taken_back(place, mark):
            return None
        if move.before is None or content_of(move.before.revision) != content_of(mark.revision):
            return move.before
        mark = move.before
    return None


def own(key: SigningKey) -> VerifyingKey:
    """Return the public half of a signing key."""
    return VerifyingKey(keyid=key.keyid, pem=key.public_pem, algorithm=key.algorithm)
