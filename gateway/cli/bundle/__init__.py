"""`mcp-admission bundle`: from sources to a signed, proven artefact.

Rule 1: the table says which commands there are; each is the module of its name in this package.
"""

from typing import Final

import click

from gateway.cli.loading import Loading

# In the order in which a bundle meets them.
COMMANDS: Final = {
    "build": "Pack the policy bundle of an environment, unsigned and byte for byte the same each time.",
    "sign": "Sign a bundle.",
    "verify": "Prove a bundle: signature, terms, its own tests, golden decisions.",
    "inspect": "Show what a bundle says of itself.",
    "diff": "Say what one bundle changes against another, in words a reviewer reads.",
}


@click.command(
    "bundle",
    cls=Loading,
    package="gateway.cli.bundle",
    table=COMMANDS,
    short_help="Policy bundles: build, sign, verify, inspect, diff.",
    epilog="""\b
Examples:
  mcp-admission bundle build production -o bundle.tar.gz
  mcp-admission bundle sign bundle.tar.gz --key-env POLICY_KEY
  mcp-admission bundle verify bundle.tar.gz --key policy.pem
  mcp-admission bundle diff published.tar.gz bundle.tar.gz
""",
)
def command() -> None:
    """Make, sign, prove, show and compare policy bundles."""
