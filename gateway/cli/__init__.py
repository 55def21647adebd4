"""The command line: the root of `mcp-admission` and the table of its commands.

Rule 1: a command's module is loaded only when that command is used, so no command pays for another's imports.
"""

import os
from typing import Final

import click

from gateway import __version__
from gateway.cli.lazy_commands import LazyGroup

# In the order in which a new user meets them. `--help` shows these texts without loading the modules.
COMMANDS: Final = {
    "demo": "Start the demo server behind a gateway and show decisions live.",
    "try": "Put a running MCP server behind a gateway on this machine.",
    "init": "Create a policy repository.",
    "check": "Check a policy directory: sources, data, tests, scenarios.",
    "test": "Test a policy directory stage by stage, and mutate its Rego.",
    "ask": "Decide one call with the real OPA, and show the reasons and rules.",
    "serve": "Run the gateway.",
    "bundle": "Policy bundles: build, sign, verify, inspect, diff; fetch, publish, history, rollback.",
    "hub": "Serve bundles and stops to gateways: serve, token, key, prune.",
    "rollout": "Show which gateways enforce a revision.",
    "canary": "Roll out a policy to some gateways first: assign, list, promote, abort.",
    "stop": "Stop agents, sessions, servers, targets or actions now; list, lift.",
    "agent": "Register agents: new, list, rotate, revoke.",
    "catalog": "Import a server's tools for review, and show what changed since.",
    "journal": "Read the journal: tail, show, stats, export.",
    "explain": "Explain a recorded decision and what would change it.",
    "replay": "Replay recorded calls against a candidate bundle.",
    "opa": "Install OPA at the pinned version and print its path.",
}
# `try` is a Python keyword and cannot name a module. A module named `test` would look like a package of tests.
MODULES: Final = {"try": "gateway.cli.try_", "test": "gateway.cli.test_"}


@click.command(
    cls=LazyGroup,
    package="gateway.cli",
    table=COMMANDS,
    modules=MODULES,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  mcp-admission demo                                  see it work with a demo server
  mcp-admission try http://127.0.0.1:3000/mcp         put your server behind a gateway, reads only
  mcp-admission init policies                         create your own policy repository
  mcp-admission check policies                        run the checks that CI runs
  mcp-admission serve --config policies/settings.yaml
  mcp-admission COMMAND --help                        show a command's options and examples

\b
Exit codes:
  0  success
  1  failure: refused, not possible, interrupted, or a check found problems
  2  usage error: invalid command line, or a file named on it does not exist
""",
)
@click.version_option(__version__, prog_name="mcp-admission")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Admission controller for AI agents: OPA decides which messages pass between MCP clients and servers."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False  # for every subcommand (https://no-color.org)
