"""MCP Admission: an admission controller between MCP clients and MCP servers, decided by Open Policy Agent."""

__version__ = "0.3.0"
