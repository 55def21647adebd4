"""A name in a rule that nothing in the environment has, and the sentences that say so."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from gateway.artifact.json_types import Json

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
"""What is wrong, by the field of the rule."""
AHEAD: Final = "If it is still to come, add `not_yet: true` with `owner` and `expires`."


class UnknownName(Struct, frozen=True):
    """One name that nothing has: where below the rule it is, what is wrong, and what to do."""

    pointer: str
    what: str
    remedy: str
    refuses: bool = True
    """False if it is only reported, whatever the rule does."""


def listed(stated: Json, fields: Iterable[str]) -> str:
    """Return those of the fields that are stated, as a list in a sentence."""
    return ", ".join(f"`{field}`" for field in fields if field in stated)
