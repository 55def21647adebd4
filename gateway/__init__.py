"""MCP Admission: an admission controller between MCP clients and MCP servers, decided by Open Policy Agent."""

from typing import Final

__version__: Final = "0.1.0"
