"""The end of a banner: commands to try next, ready to paste into another terminal.

Rule 1: each command is complete: it names the program as it was started, and the directories of this gateway.
"""

import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.settings import Settings

_NAME: Final = "mcp-admission"
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class ExampleCall(Struct, frozen=True, kw_only=True):
    """A file of rules to edit, and a call to ask about; `tool` is empty if no tool has a plain name."""

    rules: Path
    agent: str
    server: str
    tool: str


def next_steps(settings: Settings, example: ExampleCall) -> str:
    """Return the commands to try while the gateway runs."""
    policy, journal = settings.policy, settings.journal.directory
    environment = ["-e", policy.environment]
    asking = ["--agent", example.agent, "--server", example.server, "--tool", example.tool]
    ask = ("  Ask without calling:", f"    {_line('ask', '--policy', policy.directory, *environment, *asking)}")
    return "\n".join(
        (
            "Each call is a line below: time, id, agent, server, target, action, outcome, why. Try next:",
            f"  Edit {example.rules} and save it: it takes effect immediately.",
            "  In another terminal, with the ID of a line (who allowed it, what would change the answer, statistics):",
            f"    {_line('journal', 'show', 'ID', '--journal', journal)}",
            f"    {_line('explain', 'ID', '--journal', journal, '--policy', policy.directory)}",
            f"    {_line('journal', 'stats', '--journal', journal)}",
            *(ask if example.tool else ()),
            "",
        )
    )


def plain(names: Iterable[str]) -> str:
    """Return the first name that can be shown and pasted unchanged; empty if there is none."""
    return next((name for name in names if _PLAIN.fullmatch(name)), "")


def _line(*words: object) -> str:
    return shlex.join([_program(), *map(str, words)])


def _program() -> str:
    """Return the command that starts this program: its name if that is on PATH, else the way it was started."""
    started = Path(sys.argv[0])
    found = shutil.which(_NAME)
    if started.name != _NAME or (found is not None and Path(found).resolve() == started.resolve()):
        return _NAME
    return str(started)
