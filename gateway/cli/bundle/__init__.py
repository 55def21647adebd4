"""`mcp-admission bundle`: from sources to a signed, proven artifact.

Rule 1: the table says which commands there are; each is the module of its name in this package.
"""

from typing import Final

import click

from gateway.cli.lazy_commands import LazyGroup

# In the order in which a bundle meets them.
COMMANDS: Final = {
    "build": "Pack the policy bundle of an environment, unsigned and byte for byte the same each time.",
    "sign": "Sign a bundle.",
    "verify": "Prove a bundle: signature, terms, its own tests, golden decisions.",
    "inspect": "Show what a bundle says of itself.",
    "diff": "Say what one bundle changes against another, in words a reviewer reads.",
    "fetch": "Download a published bundle to a file.",
    "publish": "Publish a bundle to a hub or a directory.",
    "channels": "Show what each channel points to.",
    "history": "Show who moved a channel, when and why.",
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
    """Make, sign, prove, show, compare and publish policy bundles, and go back."""
