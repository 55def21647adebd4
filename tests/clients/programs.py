"""The programs of this directory and of tests/node/clients, run by tests: one conversation each, as JSON.

said = held("typescript2", "auto", open_url, quiet_url)
"""

import json
import subprocess
import sys
from typing import Any, Final

from tests.environment import ROOT

_NODE: Final = ROOT / "tests/node"
PROGRAMS: Final = {
    "python2": [sys.executable, str(ROOT / "tests/clients/python2.py")],
    "python1": [str(ROOT / ".venv-client1/bin/python"), str(ROOT / "tests/clients/python1.py")],
    "typescript1": [str(_NODE / "node_modules/.bin/node"), str(_NODE / "clients/typescript1.mjs")],
    "typescript2": [str(_NODE / "node_modules/.bin/node"), str(_NODE / "clients/typescript2.mjs")],
}
_PATIENCE_S: Final = 120


def held(program: str, mode: str, opened: str, quiet: str) -> dict[str, Any]:
    """What came of a program's conversation with the two URLs; it cancels under the name `program-mode`."""
    command = [*PROGRAMS[program], opened, quiet, mode, f"{program}-{mode}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
