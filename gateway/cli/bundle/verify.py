"""`mcp-admission bundle verify`: everything that is asked of an artifact before it is published.

Rule 1: each step is shown as it ends; the first that fails is the last, and the exit code is 1.
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
    short_help="Prove a bundle: signature, terms, its own tests, golden decisions.",
    epilog="""\b
Examples:
  mcp-admission bundle verify bundle.tar.gz --key policy.pem
  mcp-admission bundle verify bundle.tar.gz --key old.pem --key new.pem --environment production \\
      --policy policies --golden policies/golden.yaml
""",
)
@click.argument("file", type=_FILE)
@click.option(
    "--key", "keys", type=_FILE, multiple=True, required=True, help="PEM of a valid public key; repeat it for several."
)
@click.option("-e", "--environment", help="The environment that it must be of (default: the one that it says).")
@click.option("--above", type=click.IntRange(min=0), default=0, help="The sequence number that its own must exceed.")
@click.option("--golden", type=_FILE, multiple=True, help="A file of scenarios that the bundle itself must decide.")
@click.option(
    "-d",
    "--policy",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The policy repository that has the tests of your own Rego; the working directory if not given.",
)
@click.option("--without-tests", is_flag=True, help="Run no tests: for a bundle of another version's stock library.")
def command(file: Path, keys: tuple[Path, ...], policy: Path, *, without_tests: bool, **held: Any) -> None:
    """Prove the bundle FILE as it is, whatever it was built from.

    Its signature, by the keys and by a real OPA; its environment, number, end, and what it asks of a gateway; that OPA
    loads it; that it carries the stock library unchanged; the stock's tests and your own, on the Rego that it carries;
    and the scenarios of --golden, decided by it.
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
        raise click.ClickException(f"{place} is no key to verify with: {error}.") from error


def _golden(places: tuple[Path, ...]) -> tuple[Document, ...]:
    read = [read_golden(place) for place in places]
    problems = [str(problem) for found in read if isinstance(found, list) for problem in found]
    if problems:
        raise click.ClickException("\n".join(["the golden decisions cannot be read:", *problems]))
    return tuple(found for found in read if isinstance(found, Document))
