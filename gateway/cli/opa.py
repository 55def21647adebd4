"""`mcp-admission opa`: where the pinned OPA is, fetched first where it is missing."""

import click

from gateway.opa.binary import VERSION, Unobtainable, obtain


@click.command(
    "opa",
    short_help=f"Obtain OPA {VERSION} and print where it is.",
    epilog="""\b
Examples:
  mcp-admission opa
  "$(mcp-admission opa)" version
""",
)
def command() -> None:
    """Print the path of OPA at the pinned version, and obtain it first where it is missing.

    It is looked for on PATH and in the tool directory ($MCP_ADMISSION_TOOLS, else the user's cache); where it is in
    neither it is built with Go or downloaded from the project's release, verified, and kept in the tool directory.
    """
    try:
        click.echo(obtain(lambda line: click.echo(line, err=True)))
    except Unobtainable as problem:
        raise click.ClickException(str(problem)) from problem
