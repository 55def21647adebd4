"""Lists as policy sees them: the items of a result, each stated as the call that would use it.

Rule 1: the order of a list, its cursor and every member that is not an item stay the server's own.
Rule 2: an item without a usable name or URI cannot be stated, so it is not listed.
Rule 3: a filtered list is private to its reader, and may be cached no longer than the cap (PROTOCOL section 8).
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.admission.policy_input import Target, TargetType
from gateway.protocol.json_values import as_list, as_object, as_text


class ListKind(Struct, frozen=True, kw_only=True):
    """Items of a list method: the member of the result, and the call that would use an item."""

    member: str
    call: str
    type: TargetType
    key: str


_NAME_CHARS: Final = 1024
_URI_CHARS: Final = 8192
"""Longest names and URIs that can be called, hence listed (gateway.protocol.methods)."""

LISTS: Final[Mapping[str, ListKind]] = {
    "tools/list": ListKind(member="tools", call="tools/call", type="tool", key="name"),
    "prompts/list": ListKind(member="prompts", call="prompts/get", type="prompt", key="name"),
    "resources/list": ListKind(member="resources", call="resources/read", type="resource", key="uri"),
    "resources/templates/list": ListKind(
        member="resourceTemplates", call="resources/read", type="resource", key="uriTemplate"
    ),
    "tasks/list": ListKind(member="tasks", call="tasks/get", type="task", key="taskId"),
}

LISTED_BY: Final[Mapping[TargetType, tuple[str, ...]]] = {
    "tool": ("tools/list",),
    "prompt": ("prompts/list",),
    "resource": ("resources/list", "resources/templates/list"),
}


def items_of(method: str, result: Mapping[str, Any]) -> list[Any] | None:
    """Return the items of a list result, or null if the result is not a valid list."""
    return as_list(result.get(LISTS[method].member))


def target_of(method: str, item: object) -> Target | None:
    """Return the target that an item of `method` names, or null if it names none."""
    kind = LISTS[method]
    name = as_text((as_object(item) or {}).get(kind.key))
    longest = _URI_CHARS if kind.type == "resource" else _NAME_CHARS
    if not name or len(name) > longest:
        return None
    return Target(type=kind.type, uri=name) if kind.type == "resource" else Target(type=kind.type, name=name)


def capped(result: Mapping[str, Any], ttl_ms: int) -> dict[str, Any]:
    """Return a modern result as private to its reader, cached for at most `ttl_ms` milliseconds.

    A result whose server states no time, or an unreadable one, is not cached.
    """
    wanted = result.get("ttlMs")
    allowed = max(wanted, 0) if type(wanted) is int else 0
    return {**result, "ttlMs": min(allowed, ttl_ms), "cacheScope": "private"}
