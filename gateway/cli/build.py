"""`mcp-admission build`: the bundle of one environment as a file, for CI to sign and publish.

Rule 1: the same sources, sequence number and no key give the same bytes.
Rule 2: a bundle that a real OPA does not load is never written.
"""

import time
from pathlib import Path

import click

from gateway.bundle import Builder, PolicySource, Problems
from gateway.bundle.manifest import Metadata
from gateway.bundle.pack import pack
from gateway.bundle.problem import refusal
from gateway.bundle.signing import SigningKey, read_key
from gateway.cli.opa_found import opa_found, remembered


@click.command(
    "build",
    short_help="Pack the policy bundle of an environment.",
    epilog="""\b
Examples:
  mcp-admission build policies -e production --sequence 41 --output bundle.tar.gz
  mcp-admission build policies -e production --sequence 41 --output bundle.tar.gz --signing-key key.pem
""",
)
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("-e", "--environment", required=True, help="Below bundles/.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)
@click.option(
    "--sequence",
    type=click.IntRange(min=1),
    required=True,
    help="Higher than that of every bundle published before, such as the number of the CI run.",
)
@click.option(
    "--signing-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM of an EC key on curve P-256; without it the bundle is unsigned.",
)
def command(directory: Path, environment: str, output: Path, sequence: int, signing_key: Path | None) -> None:
    """Pack the bundle of an environment of the policy repository DIRECTORY into a file.

    Gateways refuse a bundle whose sequence number is lower than one that they have enforced, and their OPA refuses
    one that is not signed by the configured key. The revision is printed.
    """
    key = _key(signing_key)
    builder = Builder(remembered(), opa_found())
    content = builder.content(PolicySource(directory, environment), time.time())
    if not isinstance(content, Problems) and (unloadable := builder.rehearse(content)):
        content = refusal(unloadable)
    if isinstance(content, Problems):
        for problem in content.problems:
            click.echo(str(problem), err=True)
        raise SystemExit(1)
    packed = pack(content.files, Metadata(environment=environment, seq=sequence), key=key)
    output.write_bytes(packed.content)
    if key is not None:
        click.echo(f"signed with key {key.keyid}", err=True)
    click.echo(packed.revision)


def _key(place: Path | None) -> SigningKey | None:
    try:
        return None if place is None else read_key(place.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise click.ClickException(f"{place} is no signing key: {error}.") from error
