"""The demo server of `make run`: a real MCP server (the official SDK) whose tools touch real files in one directory.

Rule 1: it is an extra (`pip install mcp-admission[demo]`) and shares no code with the gateway: it stands
for somebody else's server.
"""
