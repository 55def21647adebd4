"""Task ids between client and server: sealed for the principal that owns the task (DESIGN section 7).

Rule 1: an id that a client sends must open for this principal on this server. Otherwise nothing is forwarded.
Rule 2: a principal becomes the owner of a task only by the server's answer to a request of that principal.
Rule 3: a message of a server about a task of another or an unknown principal is withheld.
Rule 4: the ids of a client's own tasks, which it makes for requests of the server, are not changed.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from gateway.admission.capabilities import tasks_item
from gateway.admission.decision import PolicyFailure
from gateway.admission.enforce import undecided
from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import PolicyInput
from gateway.admission.refusal import Refusal, own
from gateway.pipeline.call import Call
from gateway.pipeline.engine import Engine
from gateway.pipeline.ownership import Ownership
from gateway.pipeline.sealed_ids import opened_task_id, sealed_task_id
from gateway.protocol.errors import INVALID_PARAMS
from gateway.protocol.headers import encode_value
from gateway.protocol.json_values import as_list, as_object, as_text
from gateway.protocol.key_folding import META, PARAMS
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Notification, Request, Response
from gateway.protocol.ownership_exchange import Claim, Held
from gateway.protocol.splicing import Path, altered, spliced
from gateway.protocol.task_places import RELATED, TaskPlace, misspelt_task_key, of_params, related

ID_BYTES: Final = 640
"""Maximum bytes of a server's task id. Its seal has at most 925 characters, and a target's name may have 1,024."""
NAMED: Final = 1_000
"""Maximum tasks that one client message may name, as in a filter. Opening an id takes about ten microseconds."""
_FILTER: Final[Path] = ("params", "notifications", "taskIds")
_UNKNOWN: Final = "does not name a task of this caller on this server; use a task id as the gateway delivered it"

_TASKLESS_PARAMS: Final = PARAMS - {"task", "taskId", "notifications", "inputResponses"}
_TASKLESS_META: Final = META - {RELATED}
"""Keys that do not contain a task id, and that no reader takes for a key that does."""

DENIED: Final = "policy_denied"
DISAGREED: Final = "policy does not list tasks of this server"
_ALONE: Final = "Send the request without `task`, or ask the policy's owner to list the tasks of this server."

Texts = Mapping[Path, Any]
"""The values that replace the server's task ids in a message."""


class TaskIds:
    """Opens the task ids of clients, and seals those of servers."""

    def __init__(self, engine: Engine, ownership: Ownership) -> None:
        """Take the engine, and the owners of tasks."""
        self._engine: Final = engine
        self.ownership: Final = ownership

    def opened(self, inbound: Inbound) -> Inbound | Malformed:
        """Return a client's message with the server's own task ids, or why it is refused."""
        message = inbound.message
        if message is None:
            return inbound
        if isinstance(message, Response):
            self._keep_made(inbound, message)
        elif names_no_task(message.params):
            return inbound
        content, places = _named_by_client(inbound, message)
        misspelt = misspelt_task_key(content)
        if misspelt is not None:
            return _malformed(inbound, f"it has a key that some readers take for another one: {misspelt[:64]!a}")
        if len(places) > NAMED:
            return _malformed(inbound, f"the message names more than {NAMED} tasks")
        ids: dict[Path, str] = {}
        for place in places:
            upstream_id = self._opened(inbound, place.id)
            if upstream_id is None:
                return _malformed(inbound, f"{'.'.join(map(str, place.path))} {_UNKNOWN}")
            ids[place.path] = upstream_id
        return self._replaced(inbound, message, ids, {place.path: place.id for place in places}) if ids else inbound

    def _replaced(
        self,
        inbound: Inbound,
        message: Request | Notification | Response,
        ids: Mapping[Path, str],
        texts: Mapping[Path, str],
    ) -> Inbound:
        for upstream_id in ids.values():
            self.keep(inbound, upstream_id)
        below = {path[1:]: upstream_id for path, upstream_id in ids.items()}
        raw = spliced(message.raw, ids)
        if isinstance(message, Response):
            held = {"result": altered(message.result, below)} if message.error is None else {}
            changed = replace(message, raw=raw, **held)
        else:
            changed = replace(message, raw=raw, params=altered(message.params, below))
        named = ids.get(("params", "taskId"))
        known = tuple((upstream_id, texts[path]) for path, upstream_id in ids.items())
        if named is None:
            return replace(inbound, message=changed, tasks=known)
        headers = tuple((name, encode_value(named) if name == "mcp-name" else value) for name, value in inbound.headers)
        return replace(inbound, message=changed, tasks=known, headers=headers, place=replace(inbound.place, name=named))

    async def refused(self, inbound: Inbound, question: PolicyInput) -> Refusal | None:
        """Return why this caller may not use tasks of this server, or null if it may."""
        item = tasks_item(inbound)
        verdicts = [False] if item is None else await self._engine.parts.listings.verdicts(question, [item])
        if isinstance(verdicts, PolicyFailure):
            return undecided(verdicts)
        return None if verdicts == [True] else own(DENIED, f"the request asks for a task, and {DISAGREED}", _ALONE)

    async def in_message(self, call: Call, params: Mapping[str, Any], *, named: bool) -> Texts | None:
        """Return the replacements of the ids in a server's params, or null if another principal owns one."""
        if misspelt_task_key(params) is not None:
            return None
        texts: dict[Path, Any] = {}
        for place in of_params(params, named=named):
            text = await self._known(call, place.id)
            if text is not None:
                texts[place.path] = text
            elif place.path[: len(_FILTER)] != _FILTER:
                return None
        return _whole_filter(params, texts)

    async def _known(self, call: Call, upstream_id: object) -> str | None:
        """Return the text of a task that a server names, if this principal owns it.

        On the stream that answers a request which may create a task, an id without an owner is that of the new task.
        """
        inbound = call.inbound
        if not isinstance(upstream_id, str) or not usable(upstream_id):
            return None
        resumed = inbound.resumes.target if inbound.resumes else ""
        if upstream_id == resumed or any(upstream_id == known for known, _ in inbound.tasks):
            return self.text(inbound, upstream_id)
        held = await self.held(inbound, [upstream_id])
        if held is None:
            return None
        if not held.texts[0]:
            if held.shared or inbound.method.target != "tool":
                return None
            if await self.refused(inbound, self._engine.current(call)) is not None:
                return None
            self.keep(inbound, upstream_id)
        return self.text(inbound, upstream_id)

    async def held(self, inbound: Inbound, upstream_ids: list[str], *, partial: bool = False) -> Held | None:
        claim = Claim(kind="task", server=inbound.server, principal=inbound.principal.key, names=tuple(upstream_ids))
        held = await self.ownership.held(claim)
        return self.ownership.local(claim) if held is None and partial else held

    def _keep_made(self, inbound: Inbound, message: Response) -> None:
        """Remember the task that a client made for a request of the server."""
        task = as_text((as_object((message.result or {}).get("task")) or {}).get("taskId"))
        if task is not None and usable(task):
            self.ownership.keep_task(inbound.server, inbound.principal.key, task, kind="client_task")

    def keep(self, inbound: Inbound, upstream_id: str) -> None:
        self.ownership.keep_task(inbound.server, inbound.principal.key, upstream_id)

    def _opened(self, inbound: Inbound, text: object) -> str | None:
        ring, principal = self._engine.parts.ring, inbound.principal.key
        return opened_task_id(ring, text, server=inbound.server, principal_key=principal)

    def _sealed(self, inbound: Inbound, upstream_id: str) -> str:
        ring, principal = self._engine.parts.ring, inbound.principal.key
        return sealed_task_id(ring, upstream_id, server=inbound.server, principal_key=principal)

    def text(self, inbound: Inbound, upstream_id: str) -> str:
        """Return the id under which the client knows a task: the one from its request, if any."""
        used = dict(inbound.tasks).get(upstream_id)
        return used or self._sealed(inbound, upstream_id)


def asks_for_task(inbound: Inbound) -> bool:
    """Return whether a request asks for a task instead of a result (2025-11-25). Elsewhere `task` has no meaning."""
    return (
        inbound.era == "legacy"
        and isinstance(inbound.message, Request)
        and "task" in inbound.message.params
        and tasks_item(inbound) is not None
    )


def names_no_task(params: Mapping[str, Any]) -> bool:
    """Return whether params certainly do not name a task: all keys are known, and none can contain a task id."""
    meta = as_object(params.get("_meta"))
    return params.keys() <= _TASKLESS_PARAMS and (meta is None or meta.keys() <= _TASKLESS_META)


def _named_by_client(
    inbound: Inbound, message: Request | Notification | Response
) -> tuple[Mapping[str, Any], list[TaskPlace]]:
    """Return the content of a client's message, and the places of the server's task ids in it."""
    if isinstance(message, Response):
        content = message.error if message.result is None else message.result
        own_task = inbound.method.target == "task"
        held = {} if content is None or own_task else content
        return held, list(related(held, ("error" if message.result is None else "result",)))
    named = inbound.method.target == "task" and isinstance(message, Request)
    return message.params, of_params(message.params, named=named)


def _whole_filter(params: Mapping[str, Any], texts: dict[Path, Any]) -> Texts:
    """Return the texts with the list of a filter as one value, without the ids of other principals."""
    named = as_list((as_object(params.get("notifications")) or {}).get("taskIds"))
    if named is None:
        return texts
    places = [(*_FILTER, index) for index in range(len(named))]
    kept = [texts.pop(place) for place in places if place in texts]
    return {**texts, _FILTER: kept}


def usable(upstream_id: object) -> bool:
    """Return whether a server's task id can be sealed."""
    return isinstance(upstream_id, str) and 0 < len(upstream_id.encode()) <= ID_BYTES


def _malformed(inbound: Inbound, reason: str) -> Malformed:
    method = inbound.method.name
    return Malformed(
        fault="shape", code=INVALID_PARAMS, status=200, reason=reason, id=inbound.request_id, method=method
    )
