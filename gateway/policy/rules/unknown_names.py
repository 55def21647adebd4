"""A name in a rule that does not exist in the environment, and the texts that report it."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json

SAID: Final = {
    "servers": "no server is called `{}`",
    "server_tags": "no server has the tag `{}`",
    "server_environments": "no server is in the environment `{}`",
    "agents": "no agent is called `{}`",
    "kinds": "no agent is of the kind `{}`",
    "labels": "no agent has the label `{}`",
    "owners": "no agent is owned by `{}`",
    "groups": "no group is called `{}`",
    "tools": "no tool is called `{}`",
    "prompts": "no prompt is called `{}`",
    "resources": "no resource has the URI `{}`",
    "tool_tags": "no target has the tag `{}`",
    "data": "no data class is called `{}`",
}
"""The problem, by the field of the rule."""
AHEAD: Final = "If it does not exist yet, add `not_yet: true` with `owner` and `expires`."


class UnknownName(Struct, frozen=True):
    """One unknown name: its JSON pointer from the rule, what is wrong, and what to do."""

    pointer: str
    what: str
    remedy: str
    refuses: bool = True
    """False if it is always only a warning."""


def listed(stated: Json, fields: Iterable[str]) -> str:
    """Return the stated fields among these, as a list for a sentence."""
    return ", ".join(f"`{field}`" for field in fields if field in stated)
