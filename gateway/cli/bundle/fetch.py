"""`mcp-admission bundle fetch`: download a published bundle to a file, to compare, replay or explain with it.

Rule 1: the file is written only if its digest is that of the published bundle. Its signature is verified if a key is
given.
Rule 2: an existing file is replaced only with --force.
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
@click.option("--force", is_flag=True, help="Replace an existing file.")
@token_option
@verification_option
def command(wanted: str, output: Path, *, force: bool, **options: Any) -> None:
    """Download the bundle WANTED: a channel (its current bundle), a revision, or a digest.

    The token needs the role reader or publisher. The digest is checked, and the signature if --verification-key names
    its key. Earlier bundles are available until they are pruned. The revision is printed.
    """
    keys = verifying_keys(options["verification_keys"])
    if output.exists() and not force:
        raise click.ClickException(f"{output} already exists: name another file, or give --force.")
    artifact = fetched(source_of(options["place"], options["token_file"]), wanted)
    wrong = unsigned_by(artifact, keys) if keys else None
    if wrong is not None:
        raise click.ClickException(f"{artifact.revision} was not written: {wrong}.")
    put(output, artifact.content, new=not force)
    _told(artifact, output, verified=bool(keys))


def _told(artifact: Artifact, output: Path, *, verified: bool) -> None:
    said = "signature verified" if verified else "signature not verified (see --verification-key)"
    click.echo(f"wrote {output} with {artifact.digest}; {said}", err=True)
    click.echo(artifact.revision)
