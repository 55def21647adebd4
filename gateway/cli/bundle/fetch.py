"""`mcp-admission bundle fetch`: a published bundle as a file, to compare with, to replay by, to explain by.

Rule 1: the file is what was published, by its digest, or there is none; its signature is verified where a key is given.
Rule 2: nothing that is there is replaced without --force.
"""

from pathlib import Path
from typing import Any

import click

from gateway.artifact.artifact import Artifact
from gateway.artifact.signature_checks import unsigned_by
from gateway.cli.bundle.files import put
from gateway.cli.publishing.hub_options import token_option, verification_option, verifying_keys
from gateway.cli.publishing.published_bundles import fetched, source_of


@click.command(
    "fetch",
    short_help="Download a published bundle to a file.",
    epilog="""\b
Examples:
  mcp-admission bundle fetch production --from https://hub.example.com --token-file token -o in-force.tar.gz
  mcp-admission bundle diff in-force.tar.gz bundle.tar.gz
  mcp-admission bundle fetch production@0f2c4e6a8b1d.41 --from /srv/hub -o old.tar.gz --verification-key key.pub.pem
""",
)
@click.argument("wanted")
@click.option("--from", "place", required=True, metavar="DIR|URL", help="A hub's address, or a directory.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.option("--force", is_flag=True, help="Replace the file where it is there.")
@token_option
@verification_option
def command(wanted: str, output: Path, *, force: bool, **options: Any) -> None:
    """Download the bundle WANTED: a channel for what it points to now, a revision, or a digest.

    It needs a token with the role reader or publisher. The digest is checked; the signature where --verification-key
    names its key. A bundle of the past is kept by the place until it is pruned. The revision is printed.
    """
    keys = verifying_keys(options["verification_keys"])
    if output.exists() and not force:
        raise click.ClickException(f"{output} is there already: name another file, or say --force.")
    artifact = fetched(source_of(options["place"], options["token_file"]), wanted)
    wrong = unsigned_by(artifact, keys) if keys else None
    if wrong is not None:
        raise click.ClickException(f"{artifact.revision} is not written: {wrong}.")
    put(output, artifact.content, new=not force)
    _told(artifact, output, verified=bool(keys))


def _told(artifact: Artifact, output: Path, *, verified: bool) -> None:
    said = "its signature is good" if verified else "its signature was not looked at (--verification-key)"
    click.echo(f"wrote {output} with {artifact.digest}; {said}", err=True)
    click.echo(artifact.revision)
