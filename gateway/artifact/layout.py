"""The parts of a bundle that programs other than the build know by path or by name."""

from typing import Final

COMBINED_REQUIREMENTS: Final = "mcp/admission/requirements.rego"
"""Path of the generated Rego that combines the requirements of a bundle."""
REQUIREMENTS: Final = "mcp.requirements."
"""Prefix of the Rego package of each requirement."""
