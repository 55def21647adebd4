"""The command line: the root of `mcp-admission`, and which module each command is in.

Rule 1: a command's module is loaded when the command is asked for, so that none pays for another's imports.
"""

import os
from typing import Final

import click

from gateway import __version__
from gateway.cli.lazy_commands import LazyGroup

# In the order in which a newcomer meets them; the sentence is what `--help` says without loading the module.
COMMANDS: Final = {
    "demo": "Start the demo server behind a gateway and show decisions live.",
    "try": "Put a running MCP server behind a gateway on this machine.",
    "init": "Make a policy repository.",
    "check": "Check a policy directory: sources, data, tests, scenarios.",
    "test": "Test a policy directory stage by stage, and mutate its Rego.",
    "ask": "Answer one question from the real OPA, with reasons and grounds.",
    "serve": "Run the gateway.",
    "bundle": "Policy bundles: build, sign, verify, inspect, diff; publish, history, rollback.",
    "hub": "Serve bundles and stops to gateways: serve, token, key, prune.",
    "rollout": "Show how far a revision has come.",
    "canary": "Let some gateways have a policy first: assign, list, promote, abort.",
    "stop": "Stop an agent, principal, server or target now; list, lift.",
    "agent": "Register agents: new, list, rotate, revoke.",
    "catalog": "Import a server's tools for review, and compare.",
    "journal": "Read the journal: tail, show, stats, export.",
    "explain": "Say why a recorded call ended as it did, and what would change that.",
    "replay": "Ask a candidate bundle what it would have decided on recorded calls.",
    "opa": "Obtain OPA at the pinned version and print where it is.",
}
# `try` is a word of Python's and cannot name a module; one named `test` would hide what is under test from its readers.
MODULES: Final = {"try": "gateway.cli.try_", "test": "gateway.cli.test_"}


@click.command(
    cls=LazyGroup,
    package="gateway.cli",
    table=COMMANDS,
    modules=MODULES,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  mcp-admission demo                                  see it work, with a server of its own
  mcp-admission try http://127.0.0.1:3000/mcp         put your server behind it, reads only
  mcp-admission init policies                         begin your own policy repository
  mcp-admission check policies                        what CI runs on it
  mcp-admission serve --config policies/settings.yaml
  mcp-admission COMMAND --help                        what a command takes, with examples

\b
Exit codes:
  0  it is done, or as it should be
  1  it was refused, cannot be done, was broken off, or is not as it should be
  2  the command line is not what is wanted, or a file that it names is not there
""",
)
@click.version_option(__version__, prog_name="mcp-admission")
@click.pass_context
def main(ctx: click.Context) -> None:
    """An admission controller for AI agents: OPA decides what passes between MCP clients and servers."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False  # of every command below, whatever it styles (https://no-color.org)
