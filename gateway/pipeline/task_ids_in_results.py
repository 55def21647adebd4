"""Task ids in the results of servers: sealed for the client if it owns the task.

Rule 1: a task that a server names in the answer to a request belongs to the request's principal. A list is not an
answer about one task, and shows only tasks that the reader is known to own.
Rule 2: an answer about a task must be about the task that the request named.
Rule 3: a task that policy does not permit does not reach the client.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from gateway.admission.action import Action, Answer
from gateway.admission.capabilities import tasks_item
from gateway.admission.refusal import Refusal, own
from gateway.pipeline.call import Call
from gateway.pipeline.engine import Engine
from gateway.pipeline.list_results import broken
from gateway.pipeline.sealed_ids import named_task
from gateway.pipeline.task_ids import DENIED, DISAGREED, ID_BYTES, TaskIds, Texts, usable
from gateway.protocol.json_values import as_list, as_object, as_text
from gateway.protocol.methods import lookup
from gateway.protocol.splicing import Path, spliced
from gateway.protocol.task_places import TASK_RESULT, TaskPlace, creates, misspelt_task_key, of_error, of_result

LIST: Final = "tasks/list"
_HOLDERS: Final = frozenset({"_meta", "inputRequests", "result", "task", "taskId", "tasks"})
"""Keys of a result that contain task ids, if the result is not a task itself."""
_LISTED: Final = 1_000
"""Maximum tasks of one list for which the other workers are asked for the owner."""
_LIST: Final = "Ask the policy's owner to list the tasks of this server."


class TaskResults:
    """Sealing of the task ids in servers' results."""

    def __init__(self, engine: Engine, tasks: TaskIds) -> None:
        """Take the engine, and the sealing of task ids."""
        self._engine: Final = engine
        self._tasks: Final = tasks

    async def in_result(self, call: Call, method: str, result: Mapping[str, Any]) -> Texts | Refusal:
        """Return the replacements of the task ids in the result of a method, or why it does not reach the client."""
        if holds_no_task(result):
            return {}
        row = lookup(method, direction="client", revision=call.inbound.revision)
        named = row is not None and row.target == "task"
        places = of_result(result, named=named)
        if method == LIST or not (places or creates(result)) or tasks_item(call.inbound) is None:
            return {}
        misspelt = misspelt_task_key(result)
        if misspelt is not None:
            return broken(f"the result has a key that some readers take for another one: {misspelt[:64]!a}")
        refusal = await self._uncreated(call, result) if creates(result) and not named else None
        if refusal is not None:
            return refusal
        return await self._answered(call, places) if named else self._made(call, places)

    async def _uncreated(self, call: Call, result: Mapping[str, Any]) -> Refusal | None:
        """Return why the task that a server made of a request does not reach the client."""
        refusal = await self._tasks.refused(call.inbound, self._engine.current(call))
        if refusal is not None and refusal.code == DENIED:
            return own(DENIED, f"the server made a task of the request, and {DISAGREED}", _LIST)
        if refusal is not None:
            return refusal
        has_id = "taskId" in (as_object(result.get("task")) or result)
        return None if has_id else broken("the server made a task without an id")

    async def _answered(self, call: Call, places: Iterable[TaskPlace]) -> Texts | Refusal:
        """Return the ids in an answer about a task, which must be the task that the request named."""
        resumes = call.inbound.resumes
        wanted = resumes.target if resumes else named_task(call.inbound)
        texts: dict[Path, str] = {}
        for place in places:
            if not wanted or place.id != wanted:
                return broken("the answer is about another task than the request")
            texts[place.path] = self._tasks.text(call.inbound, wanted)
        return texts

    def _made(self, call: Call, places: Iterable[TaskPlace]) -> Texts | Refusal:
        """Return the ids in the answer to a request of this principal, which owns these tasks from now on."""
        texts: dict[Path, str] = {}
        for place in places:
            if not usable(place.id):
                return broken(f"a task id must be a string of 1 to {ID_BYTES} bytes")
            self._tasks.keep(call.inbound, place.id)
            texts[place.path] = self._tasks.text(call.inbound, place.id)
        return texts

    def in_error(self, call: Call, error: Mapping[str, Any]) -> Texts:
        """Return the replacements of the ids in an error. The ids of other tasks stay, but no client can use them."""
        known = {named_task(call.inbound), *(upstream_id for upstream_id, _ in call.inbound.tasks)}
        return {place.path: self._tasks.text(call.inbound, place.id) for place in of_error(error) if place.id in known}

    async def own_list(self, call: Call, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return a list of tasks with only those that this principal is known to own.

        If the server knows the caller by the caller's own credential, it owns all of them.
        """
        tasks = [task for task in as_list(result.get("tasks")) or () if usable(_id_of(task))]
        if not self._has_own_credential(call):
            ids = [str(_id_of(task)) for task in tasks[:_LISTED]]
            held = await self._tasks.held(call.inbound, ids, partial=True)
            texts = held.texts if held is not None else ()
            tasks = [task for task, text in zip(tasks, texts, strict=False) if text]
        for task in tasks:
            self._tasks.keep(call.inbound, str(_id_of(task)))
        return {**result, "tasks": tasks}

    def _has_own_credential(self, call: Call) -> bool:
        credential = call.permit.route.credential if call.permit is not None else None
        own_one = credential is not None and credential.per == "principal"
        return own_one and bool(call.inbound.principal.subject)

    def listed(self, call: Call, result: Mapping[str, Any]) -> Texts:
        """Return the replacements of the ids in a list of this principal's tasks."""
        return {place.path: self._tasks.text(call.inbound, place.id) for place in of_result(result, named=True)}


def holds_no_task(result: Mapping[str, Any]) -> bool:
    """Return whether a result has no key that contains a task id, and is not a task itself."""
    return result.keys().isdisjoint(_HOLDERS) and result.get("resultType") != TASK_RESULT


def shown(action: Action, texts: Texts) -> Action:
    """Return the action that delivers a server's message, with the task ids that the client knows."""
    if not texts or not isinstance(action, Answer) or action.code:
        return action
    return replace(action, body=spliced(action.body, texts))


def _id_of(task: object) -> str | None:
    return as_text((as_object(task) or {}).get("taskId"))
