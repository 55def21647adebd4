"""The command line: the root of `mcp-admission`, and which module each command is in.

Rule 1: a command's module is loaded when the command is asked for, so that none pays for another's imports.
Rule 2: a module that does not load is an error of this program and is shown as one, never hidden.
"""

from importlib import import_module
from typing import Final

import click

from gateway import __version__

# In the order in which a newcomer meets them; the sentence is what `--help` says without loading the module.
COMMANDS: Final = {
    "demo": "Start the demo server behind a gateway and show decisions live.",
    "try": "Put a running MCP server behind a gateway on this machine.",
    "init": "Make a policy repository.",
    "check": "Check a policy directory: sources, data, tests, scenarios.",
    "test": "Test a policy directory stage by stage, and mutate its Rego.",
    "ask": "Answer one question from the real OPA, with reasons and grounds.",
    "serve": "Run the gateway.",
    "build": "Pack the policy bundle of an environment.",
    "agent": "Register agents: new, list, rotate, revoke.",
    "catalog": "Import a server's tools for review, and compare.",
    "journal": "Read the journal: tail, show, stats.",
    "opa": "Obtain OPA at the pinned version and print where it is.",
}
# `try` is a word of Python's and cannot name a module; one named `test` would hide what is under test from its readers.
MODULES: Final = {"try": "gateway.cli.try_", "test": "gateway.cli.test_"}


class Commands(click.Group):
    """The commands of the table, each loaded from its module when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(MODULES.get(cmd_name, f"gateway.cli.{cmd_name}"))
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  mcp-admission demo                                  see it work, with a server of its own
  mcp-admission try http://127.0.0.1:3000/mcp         put your server behind it, reads only
  mcp-admission init policies                         begin your own policy repository
  mcp-admission check policies                        what CI runs on it
  mcp-admission serve --config policies/settings.yaml
  mcp-admission COMMAND --help                        what a command takes, with examples
""",
)
@click.version_option(__version__, prog_name="mcp-admission")
def main() -> None:
    """An admission controller for AI agents: OPA decides what passes between MCP clients and servers."""
