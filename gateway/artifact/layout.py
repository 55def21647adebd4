"""Paths and names in a bundle that programs other than the build depend on."""

from typing import Final

COMBINED_REQUIREMENTS: Final = "mcp/admission/requirements.rego"
"""The path of the generated Rego that combines the requirements of a bundle."""
REQUIREMENTS: Final = "mcp.requirements."
"""The prefix of the Rego package of each requirement."""
