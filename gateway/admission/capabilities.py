"""Capabilities as policy sees them: each one is stated as the message that uses it.

Rule 1: nothing is added, and a kept capability is not changed; one that policy refuses is left out whole (PROTOCOL
section 8).
Rule 2: the gateway cannot judge an extension that it does not know, and leaves it out on both sides.
Rule 3: a key that some readers take for a capability of the table, but that is spelled differently, is left out.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import AskedMessage, Item, Target
from gateway.protocol.json_values import as_object
from gateway.protocol.key_folding import fold
from gateway.protocol.methods import lookup

OF_SERVER: Final[Mapping[str, str]] = {
    "tools": "tools/list",
    "prompts": "prompts/list",
    "resources": "resources/list",
    "completions": "completion/complete",
    "logging": "logging/setLevel",
}
"""A server's capability, and its representative method."""
OF_CLIENT: Final[Mapping[str, str]] = {
    "sampling": "sampling/createMessage",
    "elicitation": "elicitation/create",
    "roots": "roots/list",
    "tasks": "tasks/get",
}
"""A client's capability, and the server request that uses it."""
TASKS: Final = "tasks"
TASKS_EXTENSION: Final = "io.modelcontextprotocol/tasks"
"""Tasks of servers: a capability in revision 2025-11-25, an extension of both sides in later revisions."""
_READ_TASK: Final = "tasks/get"
EXTENSIONS: Final = frozenset(
    f"io.modelcontextprotocol/{name}"
    for name in ("tasks", "ui", "oauth-client-credentials", "enterprise-managed-authorization")
)
"""Extensions whose messages are in the method table, or that have none of their own."""
_EXTENSIONS: Final = "extensions"
_SPELLED: Final = {fold(name): name for name in (*OF_SERVER, *OF_CLIENT, _EXTENSIONS)}


def of_server(inbound: Inbound, capabilities: Mapping[str, Any]) -> dict[str, Item | None]:
    """Return the server's capabilities that policy knows, each as a target; null if the revision does not have it."""
    stated = {key: _item(inbound, method, key) for key, method in OF_SERVER.items() if key in capabilities}
    tasks = {TASKS: tasks_item(inbound)} if TASKS in capabilities else {}
    return {**stated, **tasks, **_extended(inbound, capabilities)}


def of_client(inbound: Inbound, capabilities: Mapping[str, Any]) -> dict[str, Item | None]:
    """Return the client's capabilities that servers use, each as the request that a server would send."""
    stated = {key: _item(inbound, method, method) for key, method in OF_CLIENT.items() if key in capabilities}
    return {**stated, **_extended(inbound, capabilities)}


def tasks_item(inbound: Inbound) -> Item | None:
    """Return the use of a server's tasks as the call that reads one; null if the revision has no tasks.

    Policy judges all tasks of a server alike, so the name of the task does not matter.
    """
    if lookup(_READ_TASK, direction="client", revision=inbound.revision) is None:
        return None
    message = AskedMessage(method=_READ_TASK, kind="request", revision=inbound.revision, era=inbound.era)
    return Item(message=message, target=Target(type="task", name=TASKS), definition=None)


def _extended(inbound: Inbound, capabilities: Mapping[str, Any]) -> dict[str, Item | None]:
    """Return the extensions by which one side uses the other's tasks, as policy questions."""
    extensions = as_object(capabilities.get(_EXTENSIONS)) or {}
    return {TASKS_EXTENSION: tasks_item(inbound)} if TASKS_EXTENSION in extensions else {}


def _item(inbound: Inbound, method: str, name: str) -> Item:
    message = AskedMessage(method=method, kind="request", revision=inbound.revision, era=inbound.era)
    return Item(message=message, target=Target(name=name), definition=None)


def without(capabilities: Mapping[str, Any], refused: Collection[str]) -> dict[str, Any]:
    """Return the capabilities without the refused ones, and only those extensions that can be judged."""
    kept = {key: value for key, value in capabilities.items() if key not in refused and _spelled(key)}
    extensions = as_object(kept.get(_EXTENSIONS))
    if extensions is not None:
        known = {name: value for name, value in extensions.items() if name in EXTENSIONS and name not in refused}
        return kept | {_EXTENSIONS: known}
    return {key: value for key, value in kept.items() if key != _EXTENSIONS}


def _spelled(key: str) -> bool:
    return _SPELLED.get(fold(key), key) == key
