"""`mcp-admission bundle verify`: all checks of an artifact before it is published.

Rule 1: each step is shown when it ends. The first failure ends the command with exit code 1.
"""

import time
from pathlib import Path
from typing import Any, Final

import click

from gateway.admission.policy_input import SCHEMA as INPUT_SCHEMA
from gateway.artifact.artifact import Artifact
from gateway.artifact.signature_checks import EnforcementContext, VerifyingKey, read_verifying_key
from gateway.cli.bundle.files import artifact_in
from gateway.cli.locate_opa import opa_found
from gateway.library import library
from gateway.policy.golden import read_golden
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.sources.document import Document
from gateway.policy.unpacked_tests import read_tests
from gateway.policy.verify_artifact import ArtifactProof
from gateway.version import VERSION

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "verify",
    short_help="Verify a bundle: signature, metadata, its own tests, golden decisions.",
    epilog="""\b
Examples:
  mcp-admission bundle verify bundle.tar.gz --key policy.pem
  mcp-admission bundle verify bundle.tar.gz --key old.pem --key new.pem --environment production \\
      --policy policies --golden policies/golden.yaml
""",
)
@click.argument("file", type=_FILE)
@click.option(
    "--key", "keys", type=_FILE, multiple=True, required=True, help="PEM file of a trusted public key; repeatable."
)
@click.option("-e", "--environment", help="Required environment (default: the one in the bundle).")
@click.option("--above", type=click.IntRange(min=0), default=0, help="Sequence number that the bundle's must exceed.")
@click.option(
    "--golden", type=_FILE, multiple=True, help="File of scenarios that the bundle must decide as stated; repeatable."
)
@click.option(
    "-d",
    "--policy",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The policy repository with the tests of your own Rego (default: the working directory).",
)
@click.option(
    "--without-tests", is_flag=True, help="Skip the tests, for a bundle with the stock library of another version."
)
def command(file: Path, keys: tuple[Path, ...], policy: Path, *, without_tests: bool, **held: Any) -> None:
    """Verify the bundle FILE as it is, independent of its sources.

    The checks: its signature, by the keys and by a real OPA; its environment, number and expiry, and the gateway
    version that it requires; that OPA loads it; that its stock library is unchanged; the tests of the stock library and
    your own, on the Rego in the bundle; and the scenarios of --golden, decided by the bundle.
    """
    artifact = artifact_in(file)
    proof = ArtifactProof(
        opa=OpaCommand(opa_found()),
        keys=tuple(_key(place) for place in keys),
        standing=_standing(artifact, held["environment"], held["above"]),
        library=library(),
        tests=None if without_tests else read_tests(policy, library()),
        golden=_golden(held["golden"]),
    )
    click.echo(artifact.revision)
    failed = False
    for step in proof.steps(artifact):
        failed = bool(step.problems)
        click.echo(f"{'FAILS' if failed else 'ok':6}{step.name:10} {'' if failed else step.told}".rstrip())
        for problem in step.problems:
            click.echo(f"      {problem}")
    if failed:
        raise SystemExit(1)


def _standing(artifact: Artifact, environment: str | None, above: int) -> EnforcementContext:
    return EnforcementContext(
        environment=environment or artifact.manifest.metadata.environment,
        highest_seq=above + 1 if above else 0,
        unix_ns=time.time_ns(),
        version=VERSION,
        input_schema=INPUT_SCHEMA,
    )


def _key(place: Path) -> VerifyingKey:
    try:
        return read_verifying_key(place.read_bytes())
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{place} is not a valid public key: {error}.") from error


def _golden(places: tuple[Path, ...]) -> tuple[Document, ...]:
    read = [read_golden(place) for place in places]
    problems = [str(problem) for found in read if isinstance(found, list) for problem in found]
    if problems:
        raise click.ClickException("\n".join(["The golden decisions cannot be read:", *problems]))
    return tuple(found for found in read if isinstance(found, Document))
