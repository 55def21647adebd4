"""The demo server of `make run`: a real MCP server (the official SDK) whose tools change real files in one directory.

Rule 1: it is an extra (`pip install mcp-admission[demo]`) and shares no code with the gateway, because it represents a
third-party server.
"""
