"""`mcp-admission catalog`: a server's tools as YAML for review, and what it changed since.

Rule 1: nothing is called, only listed; what a server says is shown escaped.
Rule 2: `diff` ends with 1 where a server is not as its catalog entry says, so that CI can ask it.
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
    short_help="Import a server's tools for review, and compare.",
    epilog="""\b
Examples:
  mcp-admission catalog import https://mcp.example.com/mcp --server example -o bundles/dev/catalog/example.yaml
  mcp-admission catalog diff bundles/production
""",
)
def command() -> None:
    """Write what a server offers as catalog YAML for review in git, and see what it changed since."""


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
@click.option("--server", required=True, help="The id that the server has in policies and in the gateway's paths.")
@click.option("--owner", help="Who answers for it (default: your address in git).")
@click.option("-o", "--output", type=_PATH, help="The file to write; one that is there is renewed (default: print).")
@click.option("--credential", help="The name of the credential that the gateway sends to it.")
@click.option("--per", type=click.Choice(["shared", "principal"]), default="shared", help="Whose credential it is.")
@connection_options
def imported(url: str, server: str, owner: str | None, output: Path | None, **options: Any) -> None:
    """Connect to the MCP server at URL, list everything that it offers, and write it as a catalog entry.

    Every target gets the digests of its definition as a pin, and a new one a suggested action with where the suggestion
    came from. The whole words of a definition are kept beside the pin as `reviewed`, and so are the instructions that
    the server gives to models: `git diff` shows each changed line, `check` compares them with the pin, and the argument
    paths of rules with the schemas. Review them all, and commit the file. An entry that is there keeps all that people
    wrote in it.
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
@click.option("--server", help="The server to ask (default: every one in PATH).")
@click.option("--url", help="Where the server is now (default: the catalog's address).")
@click.option("--credential", help="The name of its credential (default: the catalog's, where --secrets is given).")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, one for each target.")
@connection_options
def diff(path: Path, server: str | None, url: str | None, *, as_json: bool, **options: Any) -> None:
    """Ask the servers of the catalog PATH (a file, or a directory such as bundles/dev) what they list now.

    Says for each target, and for the server's instructions, whether it is as pinned, and if not, in which class it
    changed (description, schema, annotations, added, removed) and which lines. Links are followed as by the build. Ends
    with 1 if anything differs, or if a list could not be read.
    """
    entries = [one for one in entries_of(path) if server in {None, one["server"]}]
    if not entries:
        wanted = f" for the server {server!r}" if server else ""
        raise click.ClickException(f"{path} holds no catalog entry{wanted}: `mcp-admission catalog import` makes one.")
    if url and len(entries) > 1:
        raise click.UsageError("With --url, say which --server is there.")
    results = [_differs(one, url, as_json=as_json, options=options) for one in entries]
    if any(results):
        raise SystemExit(1)


def _differs(known: Mapping[str, Any], url: str | None, *, as_json: bool, options: Mapping[str, Any]) -> bool:
    """Show how a server stands to its entry, and return whether it differs."""
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
    """Return the entry that is to be renewed."""
    try:
        document = read(output.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise click.ClickException(f"{output} cannot be renewed: {error}") from error
    if not isinstance(document, dict) or document.get("server") != server:  # pyright: ignore[reportUnknownMemberType]
        raise click.ClickException(f"{output} is not the catalog entry of {server!r}: give another --output.")
    return document  # pyright: ignore[reportUnknownVariableType]


def _put(output: Path | None, text: str) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    write(output, text)
    click.echo(f"wrote {output}: review the actions and the digests, then commit it.", err=True)


def _own_address() -> str:
    """Return the address that git knows of this user."""
    try:
        asked = subprocess.run(["git", "config", "user.email"], capture_output=True, text=True, check=False)  # noqa: S607 - the git of this user
    except OSError:
        asked = None
    address = asked.stdout.strip() if asked else ""
    if not address:
        raise click.ClickException("Say with --owner who answers for this server, such as alice@example.com.")
    return address
