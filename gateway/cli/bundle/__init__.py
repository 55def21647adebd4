"""`mcp-admission bundle`: publish bundles, see what is in force, go back.

Rule 1: a command's module is loaded when the command is asked for.
"""

from importlib import import_module
from typing import Final

import click

COMMANDS: Final = {
    "publish": "Publish a bundle to a hub or a directory.",
    "channels": "Show what each channel points to.",
    "history": "Show who moved a channel, when and why.",
    "rollback": "Publish earlier content again, under a new number.",
}


class Commands(click.Group):
    """The commands of the table, each loaded from its module when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"gateway.cli.bundle.{cmd_name}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    "bundle",
    cls=Commands,
    epilog="""\b
Examples:
  mcp-admission bundle publish production.tar.gz --to https://hub.example.com --channel production --because "#42"
  mcp-admission bundle history --to https://hub.example.com --channel production
""",
)
def command() -> None:
    """Publish policy bundles, see what is in force, and go back."""
