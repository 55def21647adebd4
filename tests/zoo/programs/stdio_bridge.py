"""The conversation of tests/clients/python2.py over standard input and output, with a bridge to a server on HTTP.

    python stdio_bridge.py MODE NAME COMMAND...

Rule 1: COMMAND is the bridge as its users start it; what it prints on standard error goes there.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from mcp import StdioServerParameters

sys.path.append(str(Path(__file__).resolve().parents[3]))

from tests.clients.python2 import Said, open_talk


async def talk(mode: str, name: str, command: list[str]) -> Said:
    """Hold the conversation over a bridge that runs as long as it."""
    bridge = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    return await open_talk(bridge, mode, name)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(talk(sys.argv[1], sys.argv[2], sys.argv[3:]))))  # noqa: T201 - its output
