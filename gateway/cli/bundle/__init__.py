"""`mcp-admission bundle`: build, sign, verify and publish policy bundles.

Rule 1: the table lists the commands; each is the module of its name in this package.
"""

from typing import Final

import click

from gateway.cli.lazy_commands import LazyGroup

# In the order in which they are used for a bundle.
COMMANDS: Final = {
    "build": "Build the unsigned policy bundle of an environment, reproducibly.",
    "sign": "Sign a bundle.",
    "verify": "Verify a bundle: signature, metadata, its own tests, golden decisions.",
    "inspect": "Show the metadata of a bundle.",
    "diff": "Show the policy changes between two bundles for review.",
    "fetch": "Download a published bundle to a file.",
    "publish": "Publish a bundle to a hub or a directory.",
    "channels": "Show the bundle that each channel points to.",
    "history": "Show the moves of a channel: who, when and why.",
    "rollback": "Publish earlier content again, under a new number.",
}


@click.command(
    "bundle",
    cls=LazyGroup,
    package="gateway.cli.bundle",
    table=COMMANDS,
    short_help="Policy bundles: build, sign, verify, inspect, diff; fetch, publish, history, rollback.",
    epilog="""\b
Examples:
  mcp-admission bundle build production -o bundle.tar.gz
  mcp-admission bundle sign bundle.tar.gz --key-env POLICY_KEY
  mcp-admission bundle verify bundle.tar.gz --key policy.pem
  mcp-admission bundle fetch production --from https://hub.example.com -o published.tar.gz
  mcp-admission bundle diff published.tar.gz bundle.tar.gz
  mcp-admission bundle publish bundle.tar.gz --to https://hub.example.com --channel production --because "#42" --wait
""",
)
def command() -> None:
    """Build, sign, verify, inspect, compare, publish and roll back policy bundles."""
