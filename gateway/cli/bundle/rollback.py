"""`mcp-admission bundle rollback`: content that was in force before is in force again.

Rule 1: there is no way back but forward: the old content is packed under a new, higher number, says what it reverts,
and is signed like any bundle.
Rule 2: what is signed again was signed before by a key that is trusted here: the place it comes from may be anybody's.
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
    """What is packed again: the old artifact, the number above which it goes, the revision that it takes back."""

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
@click.option("--revision", default="", help="The revision whose content is wanted (default: the last other content).")
@because_option
@wait_options
@key_options
@place_options
def command(revision: str, **options: Any) -> None:
    """Publish again what the channel pointed to before, under a new number, signed with your key.

    The bundle that is in force is named as reverted. What is re-issued must be signed by your key, or by one that
    --verification-key names. The new revision is printed.
    """
    key = signing_key(key_file=options["key_file"], key_env=options["key_env"], key_command=options["key_command"])
    place, wanted = opened(options), publication(options)
    known = place.known()
    in_force = known.channels.get(wanted.channel)
    if in_force is None:
        raise click.ClickException(f"{options['to']} has no channel {wanted.channel!r}: there is no way back.")
    trusted = [own(key), *verifying_keys(options["verification_keys"])]
    old = trusted_artifact(place, before(place, in_force, revision), trusted)
    published(place, reissued(old, known, in_force, key), wanted, known)


def reissued(old: Artifact, known: PublishedChannels, in_force: Pointer, key: SigningKey) -> bytes:
    """The old content as a bundle that takes back what is in force; says so."""
    top = known.highest.get(in_force.environment, in_force.mark)
    packed = repacked(Reissue(old=old, above=top.seq, reverts=in_force.revision, unix_s=time.time()), key)
    click.echo(f"{packed.revision} has the content of {old.revision}, and reverts {in_force.revision}", err=True)
    return packed.content


def trusted_artifact(place: PublishTarget, wanted: Mark, keys: Sequence[VerifyingKey]) -> Artifact:
    """The artifact; ends the command where it is not what it is said to be, or not signed by one of the keys."""
    artifact = read_artifact(place.content(wanted.digest))
    wrong = artifact if isinstance(artifact, Rejected) else unsigned_by(artifact, keys)
    if isinstance(artifact, Rejected) or wrong is not None:
        remedy = "Name the key that it was signed with: --verification-key FILE."
        raise click.ClickException(f"{wanted.revision} is not signed again: {wrong}. {remedy}")
    if artifact.digest != wanted.digest:
        raise click.ClickException(f"{wanted.revision} is not what was published under that name: look at the place.")
    return artifact


def repacked(reissue: Reissue, key: SigningKey) -> Packed:
    """The old content under a new number."""
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
    """The artifact whose content is wanted: that of the revision, or the last one with another than is in force."""
    moves = place.history(in_force.channel, HISTORY)
    if revision:
        found = next((move.to for move in moves if move.to.revision == revision), None)
        if found is None:
            raise click.ClickException(
                f"{in_force.channel} never pointed to {revision!r}. `mcp-admission bundle history` shows what it did."
            )
        return found
    found = _other(place, in_force, moves)
    if found is not None:
        return found
    raise click.ClickException(
        f"Before the content of {in_force.revision} nothing was in force, or what somebody took back: say which with"
        " --revision. `mcp-admission bundle history` shows what there was."
    )


def _other(place: PublishTarget, in_force: Pointer, moves: Sequence[Move]) -> Mark | None:
    """The last artifact with another content: content that was published again is no way back.

    None where there is none, and where this content is itself a way back: before it was what somebody took back.
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
    """The public half of a signing key."""
    return VerifyingKey(keyid=key.keyid, pem=key.public_pem, algorithm=key.algorithm)
