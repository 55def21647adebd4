"""`mcp-admission bundle sign`: sign a bundle that was built and compared before.

Rule 1: only a complete policy bundle is signed, parsed as strictly as by a gateway.
Rule 2: an existing signature is replaced only on request.
"""

from pathlib import Path
from typing import Any

import click

from gateway.artifact.bundle_data import data_of
from gateway.artifact.manifest import ROOTS
from gateway.artifact.pack import archived
from gateway.cli.bundle.files import artifact_in, put
from gateway.cli.bundle.signing_key import key_options, signing_key


@click.command(
    "sign",
    short_help="Sign a bundle.",
    epilog="""\b
Examples:
  mcp-admission bundle sign bundle.tar.gz --key-env POLICY_KEY
  mcp-admission bundle sign bundle.tar.gz --key-command 'pass show policy-key' -o signed.tar.gz
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
  openssl pkey -in key.pem -pubout -out policy.pem
""",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@key_options
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write (default: FILE).")
@click.option("--replace", is_flag=True, help="Replace an existing signature.")
def command(file: Path, output: Path | None, *, replace: bool, **key: Any) -> None:
    """Sign the bundle FILE with an EC key: ES256 on curve P-256, ES384 on P-384.

    OPA accepts one signature per bundle and does not verify EdDSA. The id of the key is printed; the gateway's settings
    may name it in `policy.bundle.keys`.
    """
    artifact = artifact_in(file)
    if tuple(artifact.manifest.roots) != tuple(sorted(ROOTS)) or data_of(artifact) is None:
        raise click.ClickException(f"{file} is not a policy bundle: create one with `mcp-admission bundle build`.")
    if artifact.signatures is not None and not replace:
        raise click.ClickException(f"{file} is already signed: give --replace to sign it again.")
    signing = signing_key(**key)
    put(output or file, archived(artifact.files, signing))
    click.echo(f"signed {artifact.revision} ({signing.algorithm})", err=True)
    click.echo(signing.keyid)
