"""MCP servers that tests talk to, as fixtures.

- `scripted`: a raw HTTP server that answers byte for byte what a test scripts; hangs and breaks off when told.
- `recording`: a real MCP server on the official SDK, in a process of its own, with a journal of what reached it.

Import what you need, or ask for the fixtures of `tests.servers.fixtures`.
"""
