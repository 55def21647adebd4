"""`mcp-admission catalog`: a server's tools as YAML for review, and the changes since.

Rule 1: the commands only list, they never call a tool. Text from a server is escaped.
Rule 2: `diff` exits with 1 if a server differs from its catalog entry, so that CI can check it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

import click
from ruamel.yaml.error import YAMLError

from gateway.cli.agent_files import write
from gateway.cli.catalog.credential_options import connection_options, secret_from, surveyed
from gateway.cli.catalog.difference import DRIFT, differences
from gateway.cli.catalog.document import EntryHeader, entry, read, renew, written
from gateway.cli.catalog.entries import entries as entries_of
from gateway.cli.catalog.instructions import changed_lines, instructions_difference, pin_instructions
from gateway.cli.catalog.report import difference_json, difference_lines, failed_lines, left_out_lines, unheld_lines
from gateway.cli.catalog.server_listing import listed
from gateway.cli.catalog.unchecked_keywords import unchecked_lines
from gateway.cli.live_decisions import colored
from gateway.protocol.json_values import as_object

_PATH: Final = click.Path(path_type=Path)


@click.group(
    "catalog",
    short_help="Import a server's tools for review, and show what changed since.",
    epilog="""\b
Examples:
  mcp-admission catalog import https://mcp.example.com/mcp --server example -o bundles/dev/catalog/example.yaml
  mcp-admission catalog diff bundles/production
""",
)
def command() -> None:
    """Write a server's lists as catalog YAML for review in git, and show what the server changed since."""


@command.command(
    "import",
    short_help="Write what a server lists as a catalog entry.",
    epilog="""\b
Examples:
  mcp-admission catalog import http://127.0.0.1:3000/mcp --server files
  mcp-admission catalog import https://mcp.example.com/mcp --server example --credential example \\
      --secrets secrets -o bundles/dev/catalog/example.yaml
""",
)
@click.argument("url")
@click.option("--server", required=True, help="Id of the server in policies and in the gateway's paths.")
@click.option("--owner", help="Person responsible for the server (default: your address in git).")
@click.option("-o", "--output", type=_PATH, help="File to write; an existing entry is updated (default: print).")
@click.option("--credential", help="Name of the credential that the gateway sends to the server.")
@click.option(
    "--per",
    type=click.Choice(["shared", "principal"]),
    default="shared",
    help="Kind of credential: one for all, or one per principal.",
)
@connection_options
def imported(url: str, server: str, owner: str | None, output: Path | None, **options: Any) -> None:
    """Connect to the MCP server at URL, list everything that it offers, and write it as a catalog entry.

    Every target gets the digests of its definition as a pin. A new target also gets a suggested action and the source
    of the suggestion. The full text of a definition is stored next to the pin as `reviewed`, and so are the
    instructions that the server gives to models: `git diff` shows each changed line, and `check` compares the text with
    the pin, and the argument paths of rules with the schemas. Review everything and commit the file. If the entry
    already exists, the text that people wrote in it stays.
    """
    about_credential = {"credential": options.pop("credential"), "per": options.pop("per")}
    ca_file: Path | None = options.pop("ca_file")
    found = surveyed(url, secret_from(credential=about_credential["credential"], **options), ca_file)
    things, left_out = listed(found)
    if output is not None and output.exists():
        document = _existing(output, server)
        reviewed = changed_lines(document, found.instructions)
        pin_instructions(document, found.instructions)
        unheld = renew(document, things)
    else:
        about = EntryHeader(
            server=server,
            url=url,
            owner=owner or _own_address(),
            title=found.title,
            credential=about_credential["credential"] or "",
            per=about_credential["per"],
        )
        reviewed = []
        document = entry(about, [])
        pin_instructions(document, found.instructions, at=list(document).index("trust") + 1)
        unheld = renew(document, things)
    _put(output, written(document))
    reports = (left_out_lines(left_out), unheld_lines(unheld), unchecked_lines(things), failed_lines(found.failed))
    for line in (*reviewed, *chain.from_iterable(reports)):
        click.echo(line, err=True)


@command.command(
    "diff",
    short_help="Show what a server changed since it was reviewed.",
    epilog="""\b
Examples:
  mcp-admission catalog diff bundles/dev
  mcp-admission catalog diff bundles/production --server slack --secrets secrets --json
""",
)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--server", help="Server to query (default: all in PATH).")
@click.option("--url", help="Current URL of the server (default: the one in the catalog).")
@click.option("--credential", help="Name of its credential (default: the one in the catalog, if --secrets is given).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, one per target.")
@connection_options
def diff(path: Path, server: str | None, url: str | None, *, as_json: bool, **options: Any) -> None:
    """Query the servers of the catalog PATH (a file, or a directory such as bundles/dev) and compare their lists.

    For each target, and for the server's instructions, the output shows whether it matches its pin. If not, it shows
    the class of the change (description, schema, annotations, added, removed) and the changed lines. Links are followed
    as in a build. The exit code is 1 if anything differs, or if a list could not be read.
    """
    entries = [one for one in entries_of(path) if server in {None, one["server"]}]
    if not entries:
        wanted = f" for the server {server!r}" if server else ""
        raise click.ClickException(
            f"{path} has no catalog entry{wanted}: create one with `mcp-admission catalog import`."
        )
    if url and len(entries) > 1:
        raise click.UsageError("--url needs --server: give the id of the server at that URL.")
    results = [_differs(one, url, as_json=as_json, options=options) for one in entries]
    if any(results):
        raise SystemExit(1)


def _differs(known: Mapping[str, Any], url: str | None, *, as_json: bool, options: Mapping[str, Any]) -> bool:
    """Show the differences between a server and its entry, and return whether there are any."""
    named = options["credential"] or (as_object(known.get("credential")) or {}).get("name")
    credentials = {name: value for name, value in options.items() if name != "ca_file"}
    secret = secret_from(**{**credentials, "credential": named})
    survey = surveyed(url or str(known["url"]), secret, options["ca_file"])
    things, left_out = listed(survey)
    found = [*instructions_difference(known, survey.instructions), *differences(known, things, survey.failed)]
    for line in failed_lines(survey.failed):
        click.echo(line, err=True)
    if as_json:
        for one in found:
            click.echo(json.dumps(difference_json(known["server"], one)))
    else:
        color = colored(sys.stdout)
        for line in (*difference_lines(known["server"], found, color=color), *left_out_lines(left_out)):
            click.echo(line)
    return bool(survey.failed) or any(one.state in DRIFT for one in found)


def _existing(output: Path, server: str) -> Any:
    """Return the entry to update."""
    try:
        document = read(output.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise click.ClickException(f"{output} cannot be updated: {error}") from error
    if not isinstance(document, dict) or document.get("server") != server:  # pyright: ignore[reportUnknownMemberType]
        raise click.ClickException(f"{output} is not the catalog entry of {server!r}: name another --output.")
    return document  # pyright: ignore[reportUnknownVariableType]


def _put(output: Path | None, text: str) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    write(output, text)
    click.echo(f"wrote {output}: review the actions and the digests, then commit it.", err=True)


def _own_address() -> str:
    """Return the user's address in git."""
    try:
        asked = subprocess.run(["git", "config", "user.email"], capture_output=True, text=True, check=False)  # noqa: S607 - the git of this user
    except OSError:
        asked = None
    address = asked.stdout.strip() if asked else ""
    if not address:
        raise click.ClickException(
            "Name the person responsible for this server with --owner, such as alice@example.com."
        )
    return address
