"""The places of task ids in messages: tasks of revision 2025-11-25, and the tasks extension of 2026-07-28.

Rule 1: a place is a path in the parsed message; the id there may be of any type, and only a string is usable.
Rule 2: a key that some readers take for one of a task's keys makes the message unreadable, for any value.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.protocol.json_values import as_list, as_object
from gateway.protocol.key_folding import RESERVED, fold
from gateway.protocol.splicing import Path

RELATED: Final = "io.modelcontextprotocol/related-task"
TASK_RESULT: Final = "task"
"""The `resultType` of a modern result that stands for a task."""
_ID: Final = "taskId"
_META: Final = "_meta"
_FOLDED: Final = {fold(key): key for key in (_ID, "taskIds", RELATED)}


class TaskPlace(Struct, frozen=True):
    """One task id in a message."""

    path: Path
    id: Any


def related(holder: Mapping[str, Any], path: Path) -> list[TaskPlace]:
    """Return the task that the metadata of a result, or of params, assigns it to."""
    meta = as_object(holder.get(_META))
    if meta is None or meta.get(RELATED) is None:
        return []
    return [TaskPlace((*path, _META, RELATED, _ID), (as_object(meta[RELATED]) or {}).get(_ID))]


def of_params(params: Mapping[str, Any], *, named: bool, path: Path = ("params",)) -> list[TaskPlace]:
    """Return the places in the params of a message; `named` is true if the method has a task as its target."""
    found = list(_of_state(params, path)) if named else related(params, path)
    filtered = as_list((as_object(params.get("notifications")) or {}).get("taskIds")) or ()
    found += [TaskPlace((*path, "notifications", "taskIds", index), value) for index, value in enumerate(filtered)]
    for key, answer in (as_object(params.get("inputResponses")) or {}).items():
        found += related(as_object(answer) or {}, (*path, "inputResponses", key))
    return found


def of_result(result: Mapping[str, Any], *, named: bool, path: Path = ("result",)) -> list[TaskPlace]:
    """Return the places in a result; `named` is true if it answers a method about tasks."""
    if named or result.get("resultType") == TASK_RESULT:
        return list(_of_state(result, path))
    return related(result, path) + _created(result, path)


def of_error(error: Mapping[str, Any]) -> list[TaskPlace]:
    """Return the places in an error."""
    data = as_object(error.get("data"))
    return [*related(error, ("error",)), *(related(data, ("error", "data")) if data is not None else ())]


def creates(result: Mapping[str, Any]) -> bool:
    """Return whether a result shows that the server made a task of the request."""
    return result.get("resultType") == TASK_RESULT or _ID in (as_object(result.get("task")) or ())


def misspelt_task_key(holder: Mapping[str, Any]) -> str | None:
    """Return a key that some readers take for one that names a task; null if there is none."""
    meta = as_object(holder.get(_META)) or {}
    nodes = (holder, meta, as_object(meta.get(RELATED)), as_object(holder.get("task")))
    for node in (*nodes, as_object(holder.get("notifications"))):
        if node and not RESERVED.issuperset(node):
            for key in node:
                if _FOLDED.get(fold(key), key) != key:
                    return key
    return None


def _of_state(holder: Mapping[str, Any], path: Path) -> Iterator[TaskPlace]:
    """Yield the places in the state of a task: its id, its input requests, and its result."""
    if _ID in holder:
        yield TaskPlace((*path, _ID), holder[_ID])
    yield from related(holder, path)
    yield from _created(holder, path)
    for index, task in enumerate(as_list(holder.get("tasks")) or ()):
        yield TaskPlace((*path, "tasks", index, _ID), (as_object(task) or {}).get(_ID))
    for key, request in (as_object(holder.get("inputRequests")) or {}).items():
        params = as_object((as_object(request) or {}).get("params"))
        yield from related(params or {}, (*path, "inputRequests", key, "params"))
    inner = as_object(holder.get("result"))
    if inner is not None:
        yield from related(inner, (*path, "result"))


def _created(result: Mapping[str, Any], path: Path) -> list[TaskPlace]:
    task = as_object(result.get("task"))
    return [TaskPlace((*path, "task", _ID), task[_ID])] if task is not None and _ID in task else []
