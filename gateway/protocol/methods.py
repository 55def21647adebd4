"""The one table of methods: the kind of each message, its sender in each revision, and how it is judged.

Rule 1: a message that is not in the table is refused (DESIGN section 2).
Rule 2: a message is known only as its kind: a request method without an id is not a defined notification.
Rule 3: only this table knows the place of the target; a target in another place is malformed.
Rule 4: opening a stream and closing a session are in the table under names that a body cannot have.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, cast

from msgspec import Struct

from gateway.protocol.message import Notification, Request
from gateway.protocol.revisions import LEGACY, MODERN, SUPPORTED

Direction = Literal["client", "server"]
"""The sender of the message."""
Action = Literal["read", "write", "delete", "send", "execute", "list", "unknown"]
TargetType = Literal["tool", "resource", "prompt", "task", "none"]

_NAME_CHARS: Final = 1024
_URI_CHARS: Final = 8192


class Method(Struct, frozen=True, kw_only=True):
    """One row: a method, sent by one side."""

    name: str
    direction: Direction
    kind: Literal["request", "notification"]
    revisions: tuple[str, ...]
    target: TargetType | Literal["reference"] = "none"
    """`reference` is a prompt or a resource, depending on `params.ref.type`."""
    field: str = ""
    """The key of `params` that names the target."""
    action: Action = "unknown"
    """The action that policy assumes, unless the catalog states another one."""
    asked: Literal["message", "list", "stream", "no"] = "message"
    recorded: Literal["pair", "count"] = "pair"
    refusal: Literal["tool_error", "rpc_error", "connect_error", "drop"] = "rpc_error"
    list_field: str = ""
    """The key of the result whose items are filtered one by one."""
    multi_round_trip: bool = False
    """True if a modern server may answer `input_required`."""
    cacheable: bool = False
    """True if a modern result must have `ttlMs` and `cacheScope`."""
    named_by: Literal["required", "optional", "no"] = "no"
    """True if the header `Mcp-Name` repeats the target, in the modern era."""
    verb: Literal["POST", "GET", "DELETE"] = "POST"


class TargetPlace(Struct, frozen=True):
    """The target of a message, as its `params` state it: `uri` for resources, `name` for everything else."""

    type: TargetType
    name: str | None = None
    uri: str | None = None


_SINCE_06_18: Final = ("2025-06-18", "2025-11-25")
_TASKS_LEGACY: Final = ("2025-11-25",)
_TASKS_BOTH: Final = _TASKS_LEGACY + MODERN
NOWHERE: Final = TargetPlace("none")


def _asked(name: str, revisions: tuple[str, ...], action: Action, **more: Any) -> Method:
    return Method(name=name, direction="client", kind="request", revisions=revisions, action=action, **more)


def _listing(name: str, list_field: str) -> Method:
    return _asked(name, SUPPORTED, "list", asked="list", list_field=list_field, cacheable=True)


def _told(name: str, revisions: tuple[str, ...], **more: Any) -> Method:
    return Method(name=name, direction="client", kind="notification", revisions=revisions, refusal="drop", **more)


def _requested(name: str, revisions: tuple[str, ...], action: Action, **more: Any) -> Method:
    return Method(name=name, direction="server", kind="request", revisions=revisions, action=action, **more)


def _announced(name: str, revisions: tuple[str, ...], **more: Any) -> Method:
    row: dict[str, Any] = {"asked": "no", "recorded": "count", "refusal": "drop", "action": "read", **more}
    return Method(name=name, direction="server", kind="notification", revisions=revisions, **row)


METHODS: Final[tuple[Method, ...]] = (
    _asked("initialize", LEGACY, "list", refusal="connect_error"),
    _asked("server/discover", MODERN, "list", refusal="connect_error", cacheable=True),
    _asked("ping", LEGACY, "read", asked="no", recorded="count"),
    _listing("tools/list", "tools"),
    _asked(
        "tools/call",
        SUPPORTED,
        "unknown",
        target="tool",
        field="name",
        refusal="tool_error",
        multi_round_trip=True,
        named_by="required",
    ),
    _listing("resources/list", "resources"),
    _listing("resources/templates/list", "resourceTemplates"),
    _asked(
        "resources/read",
        SUPPORTED,
        "read",
        target="resource",
        field="uri",
        multi_round_trip=True,
        cacheable=True,
        named_by="required",
    ),
    _asked("resources/subscribe", LEGACY, "read", target="resource", field="uri", named_by="optional"),
    _asked("resources/unsubscribe", LEGACY, "read", target="resource", field="uri", named_by="optional"),
    _asked("subscriptions/listen", MODERN, "read", asked="stream"),
    _listing("prompts/list", "prompts"),
    _asked("prompts/get", SUPPORTED, "read", target="prompt", field="name", multi_round_trip=True, named_by="required"),
    _asked("completion/complete", SUPPORTED, "read", target="reference", field="ref"),
    _asked("logging/setLevel", LEGACY, "write"),
    _asked("tasks/get", _TASKS_BOTH, "read", target="task", field="taskId", named_by="optional"),
    _asked("tasks/result", _TASKS_LEGACY, "read", target="task", field="taskId", named_by="optional"),
    _asked("tasks/list", _TASKS_LEGACY, "list"),
    _asked("tasks/update", MODERN, "write", target="task", field="taskId", named_by="optional"),
    _asked("tasks/cancel", _TASKS_BOTH, "write", target="task", field="taskId", named_by="optional"),
    _asked("stream/open", LEGACY, "read", asked="stream", refusal="connect_error", verb="GET"),
    _asked("session/close", LEGACY, "read", verb="DELETE"),
    _told("notifications/initialized", LEGACY, asked="no", recorded="count", action="read"),
    _told("notifications/cancelled", LEGACY, asked="no", recorded="count", action="read"),
    _told("notifications/progress", LEGACY, asked="no", recorded="count", action="read"),
    _told("notifications/roots/list_changed", LEGACY, action="read"),
    _told("notifications/tasks/status", _TASKS_LEGACY, action="read", target="task", field="taskId"),
    _requested("ping", LEGACY, "read", asked="no", recorded="count"),
    _requested("sampling/createMessage", LEGACY, "send"),
    _requested("roots/list", LEGACY, "read"),
    _requested("elicitation/create", _SINCE_06_18, "send"),
    _requested("tasks/get", _TASKS_LEGACY, "read", target="task", field="taskId"),
    _requested("tasks/result", _TASKS_LEGACY, "read", target="task", field="taskId"),
    _requested("tasks/list", _TASKS_LEGACY, "list"),
    _requested("tasks/cancel", _TASKS_LEGACY, "write", target="task", field="taskId"),
    _announced("notifications/cancelled", SUPPORTED),
    _announced("notifications/progress", SUPPORTED),
    _announced("notifications/message", SUPPORTED),
    _announced("notifications/tools/list_changed", SUPPORTED),
    _announced("notifications/prompts/list_changed", SUPPORTED),
    _announced("notifications/resources/list_changed", SUPPORTED),
    _announced("notifications/resources/updated", SUPPORTED, asked="message", target="resource", field="uri"),
    _announced("notifications/subscriptions/acknowledged", MODERN),
    _announced("notifications/elicitation/complete", _TASKS_LEGACY),
    _announced("notifications/tasks/status", _TASKS_LEGACY, asked="message", target="task", field="taskId"),
    _announced("notifications/tasks", MODERN, asked="message", target="task", field="taskId"),
)
"""Every message of every revision (PROTOCOL section 1)."""

_ROWS: Final = {
    (row.name, row.direction, revision): row for row in METHODS if row.verb == "POST" for revision in row.revisions
}
STREAM_OPEN: Final = next(row for row in METHODS if row.verb == "GET")
SESSION_CLOSE: Final = next(row for row in METHODS if row.verb == "DELETE")


def lookup(method: str, *, direction: Direction, revision: str) -> Method | None:
    """Return the row of a method in a body; None if this side does not send it in this revision."""
    return _ROWS.get((method, direction, revision))


def row_of(message: Request | Notification, *, direction: Direction, revision: str) -> Method | None:
    """Return the message's row; None also if it has an id that it must not have, or lacks a required one."""
    row = _ROWS.get((message.method, direction, revision))
    return row if row is not None and (row.kind == "request") is (type(message) is Request) else None


def target_of(method: Method, params: dict[str, Any]) -> TargetPlace | None:
    """Return the target of the message; None if the place that the table names has no usable value."""
    if method.target == "none":
        return NOWHERE
    value = params.get(method.field)
    if method.target == "reference":
        return _reference(cast("dict[str, Any]", value)) if type(value) is dict else None
    if method.target == "resource":
        return TargetPlace("resource", uri=value) if _usable(value, _URI_CHARS) else None
    return TargetPlace(method.target, name=value) if _usable(value, _NAME_CHARS) else None


def _usable(value: Any, chars: int) -> bool:
    return type(value) is str and 0 < len(value) <= chars


def _reference(ref: dict[str, Any]) -> TargetPlace | None:
    """Return the prompt or resource that is completed; null if a reference names both."""
    kind, name, uri = ref.get("type"), ref.get("name"), ref.get("uri")
    if kind == "ref/prompt" and "uri" not in ref and _usable(name, _NAME_CHARS):
        return TargetPlace("prompt", name=name)
    if kind == "ref/resource" and "name" not in ref and _usable(uri, _URI_CHARS):
        return TargetPlace("resource", uri=uri)
    return None


def markdown() -> str:
    """Return the table for the README."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| method | from | revisions | target | action | asked | recorded | refused as |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in METHODS:
        where = f"{row.target} `{row.field}`" if row.field else "-"
        name = f"`{row.name}`" if row.verb == "POST" else f"`{row.name}` ({row.verb})"
        cells = (name, row.direction, _span(row.revisions), where, row.action, row.asked, row.recorded, row.refusal)
        yield f"| {' | '.join(cells)} |"


def _span(revisions: tuple[str, ...]) -> str:
    if revisions == SUPPORTED:
        return "all"
    return revisions[0] if len(revisions) == 1 else f"{revisions[0]} to {revisions[-1]}"
