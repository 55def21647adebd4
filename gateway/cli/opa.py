"""`mcp-admission opa`: install the pinned OPA if necessary and print its path."""

import click

from gateway.opa.binary import VERSION, Unobtainable, obtain


@click.command(
    "opa",
    short_help=f"Install OPA {VERSION} and print its path.",
    epilog="""\b
Examples:
  mcp-admission opa
  "$(mcp-admission opa)" version
""",
)
def command() -> None:
    """Print the path of OPA at the pinned version, and install it first if it is missing.

    The command searches PATH and the tool directory ($MCP_ADMISSION_TOOLS, else the user's cache). If OPA is in
    neither, it is built with Go or downloaded from the project's release, verified, and stored in the tool directory.
    """
    try:
        click.echo(obtain(lambda line: click.echo(line, err=True)))
    except Unobtainable as problem:
        raise click.ClickException(str(problem)) from problem
