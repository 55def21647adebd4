"""Configurations of MCP clients that connect to the gateway, ready to paste."""

import json


def connections(name: str, url: str, *, token: bool = False) -> str:
    """Return, for people, the URL and the configuration of common clients; `token`: a bearer token is required."""
    headers = {"headers": {"Authorization": "Bearer <token>"}} if token else {}
    cursor = json.dumps({"mcpServers": {name: {"url": url, **headers}}}, indent=2)
    code = json.dumps({"servers": {name: {"type": "http", "url": url, **headers}}}, indent=2)
    header = ' --header "Authorization: Bearer <token>"' if token else ""
    return "\n".join(
        (
            f"MCP URL: {url}",
            "",
            f"Claude Code:  claude mcp add --transport http {name} {url}{header}",
            "Cursor and other clients that read mcpServers (.cursor/mcp.json):",
            cursor,
            "VS Code (.vscode/mcp.json):",
            code,
            "",
        )
    )
