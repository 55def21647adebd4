"""`mcp-admission explain`: the reasons for a recorded decision and the smallest change that would have flipped it.

Rule 1: a real OPA evaluates the bundle of the recorded revision. If another bundle is used, the output says so.
Rule 2: masked values are not explained. A change is shown only if OPA confirms that it flips the decision.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import orjson
from msgspec import Struct

from gateway.cli.bundle_options import NamedBundle, bundle_options, reviewed
from gateway.cli.explain_view import document, shown
from gateway.cli.journal_options import journal_directory, place
from gateway.cli.journal_record import decided_record
from gateway.cli.live_decisions import colored
from gateway.cli.locate_opa import opa_found
from gateway.cli.publishing.hub_client import remote
from gateway.cli.publishing.hub_options import token_option
from gateway.cli.publishing.published_bundles import fetched
from gateway.library import library
from gateway.review.candidate import Candidate, UnusableCandidate, from_bytes
from gateway.review.explanation import Explanation, explained
from gateway.review.hub_revisions import environment_of, in_hub
from gateway.review.recorded_decision import RecordedDecision, asked_in
from gateway.review.sidecar import Binary, SidecarError, asked
from gateway.settings import Settings, load, unknown_variables

_PATH: Final = click.Path(path_type=Path)


class Origin(Struct, frozen=True, kw_only=True):
    """The source of the bundle, as the options name it."""

    named: NamedBundle
    hub: str | None
    token_file: Path | None
    hub_dir: Path | None
    config: Path | None


@click.command(
    "explain",
    short_help="Explain a recorded decision and what would change it.",
    epilog="""\b
Examples:
  mcp-admission explain 3f0b6a9e --config settings.yaml
  mcp-admission explain 3f0b6a9e --journal .state/journal --hub https://hub.example.com
  mcp-admission explain 3f0b6a9e --journal .state/journal --hub-dir /srv/hub
  mcp-admission explain 3f0b6a9e --journal .state/journal --bundle bundle.tar.gz --json
  mcp-admission explain 3f0b6a9e --journal .state/journal --policy policies
""",
)
@click.argument("identifier", metavar="ID")
@place
@bundle_options
@click.option("--hub", metavar="URL", help="Hub from which to download the bundle of the recorded revision.")
@token_option
@click.option("--hub-dir", type=_PATH, help="Directory of a hub that has the bundle of the recorded revision.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(identifier: str, directory: Path | None, config: Path | None, *, as_json: bool, **options: Any) -> None:
    """Explain a decision: ID is a call id or decision id, or the beginning of one.

    The output lists each requirement with the values that decided it, the rules with file, line and owner as of the
    recorded revision, and the smallest change of policy or arguments that flips the decision, verified by OPA.
    Environment and revision are those of the record. With --config, the policy directory is the one in the settings.
    """
    record = decided_record(journal_directory(directory, config), identifier)
    bundle = _bundle(_origin(options, config), str(record.get("revision", "")))
    row = asked_in(record)
    explanation = None if row is None else _explained(bundle, row)
    if as_json:
        click.echo(orjson.dumps(document(record, bundle, explanation), option=orjson.OPT_INDENT_2))
    else:
        click.echo(shown(record, bundle, explanation, color=colored(sys.stdout)))


def _origin(options: Mapping[str, Any], config: Path | None) -> Origin:
    named = NamedBundle(bundle=options["bundle"], policy=options["policy"], environment=options["environment"])
    if sum(each is not None for each in (options["hub"], options["hub_dir"], named.bundle, named.policy)) > 1:
        raise click.UsageError("Give only one source of the bundle: --bundle, --hub, --hub-dir or --policy.")
    return Origin(
        named=named, hub=options["hub"], token_file=options["token_file"], hub_dir=options["hub_dir"], config=config
    )


def _bundle(origin: Origin, revision: str) -> Candidate:
    environment = environment_of(revision)
    if origin.hub is not None:
        artifact = fetched(remote(origin.hub, origin.token_file), revision)
        return _usable(from_bytes(artifact.content, origin.hub))
    if origin.hub_dir is not None:
        return _usable(in_hub(origin.hub_dir, revision))
    if origin.named.bundle is not None or origin.named.policy is not None:
        return reviewed(origin.named, lambda: {environment} if environment else set())
    settings = load(origin.config, os.environ)
    for unknown in unknown_variables(os.environ):
        click.echo(f"Warning: {unknown}", err=True)
    if not isinstance(settings, Settings):
        raise click.ClickException(str(settings))
    directory, environment = settings.policy.directory, origin.named.environment or environment
    if settings.policy.bundle is not None or not environment or not (directory / "bundles" / environment).is_dir():
        said = "--bundle FILE, --hub URL, --hub-dir DIR or --policy DIR"
        raise click.UsageError(f"The record is of revision `{revision}`. Give its bundle with {said}.")
    return reviewed(NamedBundle(bundle=None, policy=directory, environment=environment))


def _usable(found: Candidate | UnusableCandidate) -> Candidate:
    if isinstance(found, UnusableCandidate):
        raise click.ClickException(found.why)
    return found


def _explained(bundle: Candidate, row: RecordedDecision) -> Explanation:
    try:
        return asyncio.run(_asked(bundle, row))
    except SidecarError as error:
        raise click.ClickException(str(error)) from error


async def _asked(bundle: Candidate, row: RecordedDecision) -> Explanation:
    async with asked(bundle, Binary(opa_found(), library())) as exchange:
        return await explained(exchange, bundle, row)
