"""`mcp-admission journal schema`: the JSON Schema of the journal's records."""

import click

from gateway.journal.record_schema import PUBLISHED


@click.command(
    "schema",
    epilog="""\b
Examples:
  mcp-admission journal schema > record.schema.json
  mcp-admission journal schema | jq '."$defs".DecidedLine.properties | keys'
""",
)
def schema() -> None:
    """Print the JSON Schema of one record (mcp.record/v2).

    A field that is absent from a record has the default that the schema states.
    """
    click.echo(PUBLISHED.read_bytes(), nl=False)
