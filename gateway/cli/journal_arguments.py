"""`mcp-admission journal arguments`: the arguments recorded for an auditor, decrypted with the auditor's key.

Rule 1: arguments that cannot be decrypted are an error; nothing is reconstructed from the readable part of a record.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

import click
import orjson

from gateway.cli.bundle_options import private_keys
from gateway.cli.journal_options import journal_directory, place
from gateway.journal.encryption import KeyFault, decrypted
from gateway.journal.query import find
from gateway.journal.segment_lines import Read


@click.command(
    "arguments",
    epilog="""\b
Examples:
  mcp-admission journal keygen -o auditor.key
  mcp-admission journal arguments 3f0b6a9e --key-file auditor.key --config settings.yaml
""",
)
@place
@click.argument("identifier", metavar="ID")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Private key of the auditor, age or SSH.",
)
def arguments(directory: Path | None, config: Path | None, identifier: str, key_file: Path) -> None:
    """Print the arguments of a call as JSON, if the catalog has them recorded in full (`record: {arguments: full}`).

    ID is a call id or decision id, or the beginning of one. Secrets are masked.
    """
    keys = private_keys(key_file)
    found = find(journal_directory(directory, config), identifier)
    decided = [call.decided for call in found if call.decided["kind"] == "decided"]
    if not decided:
        where = "It may be in another gateway's journal."
        raise click.ClickException(f"No decision in this journal begins with {identifier!r}. {where}")
    if len({record.get("call_id") for record in decided}) > 1:
        calls = ", ".join(dict.fromkeys(str(record.get("call_id")) for record in decided))
        raise click.ClickException(f"Several calls begin with {identifier!r}: give one of {calls}")
    click.echo(_opened(decided[0], keys))


def _opened(record: Read, keys: list[Any]) -> bytes:
    """Return the sealed arguments of a record as indented JSON."""
    measures: Any = record.get("arguments")
    sealed = measures.get("sealed") if isinstance(measures, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(sealed, str) or not sealed:
        raise click.ClickException(
            f"The arguments of call {record.get('call_id')} are not recorded in full: its target has no "
            "`record: {arguments: full}`, or the call has no arguments."
        )
    try:
        opened = decrypted(base64.b64decode(sealed, validate=True), keys)
        if isinstance(opened, KeyFault):
            raise click.ClickException(f"The arguments cannot be decrypted: {opened.why}.")
        return orjson.dumps(orjson.loads(opened), option=orjson.OPT_INDENT_2)
    except (binascii.Error, orjson.JSONDecodeError) as error:
        raise click.ClickException(f"The arguments cannot be read: {error}.") from error
