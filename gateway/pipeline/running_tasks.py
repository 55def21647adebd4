"""The tasks that upstreams keep running for calls whose answers were delivered, so that a stop can cancel them.

Rule 1: a task is remembered when an answer names it. It is forgotten when the server reports its end, when its time to
live is over, or when `_MOST` newer ones run (fewer if their calls are large). A task that is not remembered runs until
the server ends it.
Rule 2: a task does not end with the credential that began it, because clients renew theirs and return for the result.
Rule 3: a cancellation is a request of the gateway's own, on the permit of the call that began the task.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson
from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.action import again
from gateway.admission.inbound_message import Inbound
from gateway.admission.record import Completed
from gateway.admission.refusal import Refusal
from gateway.pipeline.call import Call
from gateway.pipeline.definition_discovery import list_request
from gateway.pipeline.engine import Engine, outbound
from gateway.pipeline.running_calls import KEPT_BYTES, RunningCalls, UpstreamExchange, size_of
from gateway.protocol.json_values import as_object
from gateway.protocol.message import Notification, Request, Response, read_reply
from gateway.protocol.methods import lookup

_MOST: Final = 2_000
_AGAIN_NS: Final = 300_000_000_000
_CANCEL: Final = "tasks/cancel"
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})
_HEADER_CHARS: Final = 256
_LONGEST_S: Final = 7 * 86_400.0

_Key = tuple[str, str, str]
"""Server, principal and the upstream's id of a task."""


class Task(Struct, frozen=True, kw_only=True):
    """A task as an upstream's message names it. `ttl_s` is null if it has no time to live."""

    id: str
    status: str
    ttl_s: float | None = None


class Tasks:
    """The running tasks that this worker saw begin."""

    def __init__(self, engine: Engine, running: RunningCalls) -> None:
        """Take the engine, and the registry of running calls."""
        self._engine: Final = engine
        self._running: Final = running
        self._known: Final[dict[_Key, UpstreamExchange]] = {}
        self._timers: Final[dict[_Key, asyncio.TimerHandle]] = {}
        self._size = 0

    def __len__(self) -> int:
        """Return the number of remembered tasks."""
        return len(self._known)

    def see(self, call: Call, raw: bytes) -> None:
        """Note the task that a delivered message begins or ends. Most messages name none and are not parsed."""
        if b'"taskId"' not in raw and b"\\u" not in raw:
            return
        message = read_reply(raw)
        if isinstance(message, Response) and isinstance(message.result, dict):
            self._answered(call, message.result)
        elif isinstance(message, Notification) and message.method.startswith("notifications/tasks"):
            self._ended(call.inbound, _task(message.params))

    def _answered(self, call: Call, result: Mapping[str, Any]) -> None:
        if call.inbound.method.name.startswith("tasks/"):
            self._ended(call.inbound, _task(result))
            return
        task = _task(result if result.get("resultType") == "task" else as_object(result.get("task")) or {})
        if task is not None and task.status not in _ENDED:
            self._begun(call, task)

    def _begun(self, call: Call, task: Task) -> None:
        key = _key(call.inbound, task.id)
        self._forget(key)

        def end(refusal: Refusal) -> None:
            self._forget(key)
            self._cancel(call, task.id, refusal)

        exchange = UpstreamExchange(call, end, again_ns=_AGAIN_NS)
        exchange.expires_ns = None
        self._known[key] = self._running.keep(exchange)
        self._size += size_of(call)
        if task.ttl_s is not None:
            self._timers[key] = asyncio.get_running_loop().call_later(min(task.ttl_s, _LONGEST_S), self._forget, key)
        while len(self._known) > _MOST or self._size > KEPT_BYTES:
            self._forget(next(iter(self._known)))

    def _ended(self, inbound: Inbound, task: Task | None) -> None:
        if task is not None and task.status in _ENDED:
            self._forget(_key(inbound, task.id))

    def _forget(self, key: _Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        exchange = self._known.pop(key, None)
        if exchange is not None:
            self._size -= size_of(exchange.call)
            self._running.finish(exchange)

    def _cancel(self, call: Call, task_id: str, refusal: Refusal) -> None:
        """Cancel a task if the protocol revision supports it, and record the result in the journal."""
        parts = self._engine.parts
        now, call_id = parts.clock.now(), parts.ids.call_id()
        known = lookup(_CANCEL, direction="client", revision=call.inbound.revision) is not None
        canceled = known and call.permit is not None
        if known and call.permit is not None:
            inbound = _naming(list_request(call.inbound, _CANCEL, None, call_id), task_id)
            travelling = outbound(inbound, subject=call.permit.outbound.subject)
            self._running.post(call, _CANCEL, again(call.permit, travelling))
        why = refusal.reasons[0].requirement if refusal.reasons else refusal.code
        done = "its cancellation was requested" if canceled else "its protocol revision has no cancellation"
        parts.journal.completed(
            Completed(
                call_id=call_id,
                unix_ns=now.unix_ns,
                monotonic_ns=now.monotonic_ns,
                outcome="stopped",
                request_id=call.inbound.correlation.request_id,
                detail=f"the task of call {call.call_id} is refused by {why}; {done}",
            )
        )


def _naming(asked: Inbound, task_id: str) -> Inbound:
    """Return one of the gateway's own requests with the id of a task."""
    request = asked.message
    if not isinstance(request, Request):
        return asked
    params = {**request.params, "taskId": task_id}
    body = {"jsonrpc": "2.0", "id": request.id, "method": _CANCEL, "params": params}
    named = asked.era == "modern" and task_id.isascii() and task_id.isprintable() and len(task_id) <= _HEADER_CHARS
    headers = (*asked.headers, ("mcp-name", task_id)) if named else asked.headers
    return replace(asked, message=replace(request, params=params, raw=orjson.dumps(body)), headers=headers)


def _task(found: Mapping[str, Any]) -> Task | None:
    """Return the task that a message names, or null if it names none."""
    task_id, status, ttl = found.get("taskId"), found.get("status"), found.get("ttl", found.get("ttlMs"))
    if not isinstance(task_id, str) or not task_id:
        return None
    lasts = ttl / 1000 if isinstance(ttl, int | float) and not isinstance(ttl, bool) and ttl > 0 else None
    return Task(id=task_id, status=status if isinstance(status, str) else "", ttl_s=lasts)


def _key(inbound: Inbound, task_id: str) -> _Key:
    return inbound.server, inbound.principal.key, task_id
