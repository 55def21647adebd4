"""Judgment of a server's messages to a client, one by one, on every channel.

Rule 1: a response is delivered only to the request that it answers, with the id and type that the client chose. An id
in another form, such as `"1"` for 1, counts only in the reply to the one request that is open there.
Rule 2: a message judged by its content is delivered unchanged only if no reader could find other content in it.
Rule 3: a message that does not belong to this channel is withheld, with the reason. An unusable response to the open
request ends the request, because some clients take it for the answer.
"""

from collections.abc import Mapping
from typing import Any, Final, assert_never

import orjson
from msgspec.structs import replace

from gateway.admission.action import Action, Answer, Withhold
from gateway.admission.decision import PolicyFailure
from gateway.admission.enforce import undecided
from gateway.admission.instructions import pinned_by, reviewed
from gateway.admission.listing import LISTS, capped
from gateway.admission.refusal import Refusal
from gateway.admission.result_type import ERROR, result_type
from gateway.pipeline import embedded_requests
from gateway.pipeline.call import Call, open_request
from gateway.pipeline.capabilities import CONNECTING, Capabilities
from gateway.pipeline.engine import Engine
from gateway.pipeline.list_results import ListResults, broken, refused_response
from gateway.pipeline.output_schema_check import is_checked, output_fault
from gateway.pipeline.server_messages import ServerMessages
from gateway.pipeline.task_ids import TaskIds
from gateway.pipeline.task_ids_in_results import LIST as TASKS
from gateway.pipeline.task_ids_in_results import TaskResults, shown
from gateway.protocol.ambiguous_results import ambiguous, misleading, unequivocal, unknown_type
from gateway.protocol.json_values import as_list, as_object
from gateway.protocol.list_writer import rewritten
from gateway.protocol.message import Malformed, Notification, Request, Response, read_reply
from gateway.protocol.reply_ids import addressed, alike, read_body, same
from gateway.protocol.revisions import era_of


class Replies:
    """Processing of an upstream's messages for the client."""

    def __init__(
        self,
        engine: Engine,
        capabilities: Capabilities,
        tasks: TaskIds,
        server: ServerMessages,
        *,
        ttl_cap_ms: int,
    ) -> None:
        """Take the engine and the filters. Clients may cache results for `ttl_cap_ms` milliseconds."""
        self._tasks: Final = TaskResults(engine, tasks)
        self._engine: Final = engine
        self._capabilities: Final = capabilities
        self._ttl_cap_ms: Final = ttl_cap_ms
        self._lists: Final = ListResults(engine, ttl_cap_ms=ttl_cap_ms)
        self._server: Final = server

    async def settle(self, call: Call, raw: bytes, *, alone: bool = False) -> Action:
        """Return the action for one message of the upstream, received on the channel of `call`.

        `alone` is true if the body contains only this message. It can then only be about the open request.
        """
        message = read_body(raw) if alone else read_reply(raw)
        match message:
            case Malformed():
                return self._unusable(call, message)
            case Response():
                return await self._response(call, message, alone=alone)
            case Request():
                return await self._server.request(call, message)
            case Notification():
                return await self._server.notification(call, message)
            case _:
                assert_never(message)

    def _unusable(self, call: Call, message: Malformed) -> Action:
        expected, _ = open_request(call)
        if expected is None or message.id is None or not _answers(call, message.id, expected):
            return Withhold(detail=message.reason)
        return self._broken(call, message.reason)

    async def _response(self, call: Call, given: Response, *, alone: bool) -> Action:
        expected, method = open_request(call)
        message = _own(call, given, expected, alone=alone) if expected is not None else None
        if message is None:
            return Withhold(detail="the response answers another request")
        if message.error is not None:
            return await self._error(call, message, message.error)
        result = message.result or {}
        if misleading(result):
            return self._broken(call, "the result has a key that some readers take for another one")
        if call.inbound.era == "modern" and unknown_type(result.get("resultType", "complete")):
            return self._broken(call, "the result has a resultType that the gateway does not know")
        texts = await self._tasks.in_result(call, method, result)
        if isinstance(texts, Refusal):
            return self._refused(call, texts)
        return shown(await self._judged(call, method, message, result), texts)

    async def _judged(self, call: Call, method: str, message: Response, result: dict[str, Any]) -> Action:
        """Return the action for the result of a method, which contains the server's own task ids."""
        if method == TASKS:
            return await self._own_tasks(call, message, result)
        if embedded_requests.asks(result):
            return await self._asking(call, message, result)
        if method in LISTS:
            return await self._lists.settle(call, method, result, message.raw)
        if method in CONNECTING:
            return await self._connected(call, message, result)
        if call.inbound.method.target == "task" or result.get("resultType") == "task" or "task" in result:
            return await self._of_task(call, message, result)
        return self._whole(call, message, result)

    async def _error(self, call: Call, message: Response, error: dict[str, Any]) -> Action:
        """Deliver an error, unless it asks the client for something that policy refuses."""
        refusal = await embedded_requests.refused_error(self._engine, call, error)
        if refusal is not None:
            return self._refused(call, refusal)
        raw = message.raw if unequivocal(message.raw) else _error_body(message)
        told = Answer(status=200, body=raw, final=True, result=ERROR)
        return shown(told, self._tasks.in_error(call, error))

    async def _of_task(self, call: Call, message: Response, result: dict[str, Any]) -> Action:
        """Deliver a result that is or contains a task. The content of the task is judged by its kind."""
        refusal = await embedded_requests.refused_task(self._engine, call, result)
        if refusal is not None:
            return self._refused(call, refusal)
        return self._whole(call, message, result, doubtful=not unequivocal(message.raw))

    async def _own_tasks(self, call: Call, message: Response, result: dict[str, Any]) -> Action:
        """Deliver the tasks of a list that belong to this principal and that policy lets it read."""
        if as_list(result.get("tasks")) is None:
            return await self._lists.settle(call, TASKS, result, message.raw)
        own_tasks = await self._tasks.own_list(call, result)
        raw = rewritten(message.raw, result, own_tasks, id=message.id or "")
        if raw is None:
            return self._broken(call, "the list of tasks cannot be written without the tasks of other callers")
        listed = await self._lists.settle(call, TASKS, own_tasks, raw)
        body = as_object(orjson.loads(listed.body)) if isinstance(listed, Answer) else None
        return shown(listed, self._tasks.listed(call, as_object((body or {}).get("result")) or {}))

    async def _connected(self, call: Call, message: Response, result: dict[str, Any]) -> Action:
        """Deliver a server's description of itself, without refused capabilities and unreviewed instructions."""
        if call.inbound.method.name == "initialize" and not _negotiable(result):
            return self._broken(call, "it names a protocol revision that the gateway does not support for sessions")
        texts = reviewed(result, pinned_by(call.answer))
        shown = await self._capabilities.offered(call.inbound, self._engine.current(call), texts.result)
        if isinstance(shown, PolicyFailure):
            return self._refused(call, undecided(shown))
        action = self._whole(call, message, shown, doubtful=not unequivocal(message.raw))
        if texts.removed is not None and isinstance(action, Answer) and not action.code:
            return replace(action, removed_instructions=texts.removed)
        return action

    def _whole(self, call: Call, message: Response, result: dict[str, Any], *, doubtful: bool = False) -> Action:
        """Deliver a result unchanged, or serialized again if clients must cache it less or could misread it."""
        checked = is_checked(call)
        fault = output_fault(call, result, len(message.raw)) if checked else ""
        if fault:
            return self._broken(call, fault)
        modern = call.inbound.era == "modern"
        shown = capped(result, self._ttl_cap_ms) if modern and call.inbound.method.cacheable else result
        doubtful = doubtful or (ambiguous(message.raw) if modern else message.raw.count(b"resultType") > 1)
        doubtful = doubtful or (checked and not unequivocal(message.raw))
        if message.id is None or not (doubtful or shown != message.result):
            return Answer(status=200, body=message.raw, final=True, result=result_type(result))
        body = rewritten(message.raw, message.result or {}, shown, id=message.id)
        if body is None:
            return self._broken(call, "it cannot be written so that every client reads the same content")
        return Answer(status=200, body=body, final=True, result=result_type(result))

    async def _asking(self, call: Call, message: Response, result: Mapping[str, Any]) -> Action:
        """Deliver a result by which a modern server asks the client for input, unless policy refuses it."""
        if not embedded_requests.may_ask(call.inbound.method, result):
            return self._broken(call, "this method may not ask the client for input")
        refusal = await embedded_requests.refused(self._engine, call, result)
        refusal = refusal or await embedded_requests.refused_task(self._engine, call, result)
        if refusal is not None:
            return self._refused(call, refusal)
        if message.id is None:
            return Withhold()
        # Some readers take the first of two equal keys, others the last. Only the judged one is kept.
        body = rewritten(message.raw, result, result, id=message.id)
        if body is None:
            return self._broken(call, "it cannot be written so that every client reads the same content")
        return Answer(status=200, body=body, final=True, result=result_type(result))

    def _broken(self, call: Call, why: str) -> Action:
        return self._refused(call, broken(why))

    def _refused(self, call: Call, refusal: Refusal) -> Action:
        return refused_response(self._engine, call, refusal)


def _own(call: Call, given: Response, expected: str | int, *, alone: bool) -> Response | None:
    """Return a response under the id `expected` of the open request, or null if it answers another request."""
    if given.id is None:
        # An official SDK leaves the request open forever. Alone in a reply, the error can only be about this request.
        return addressed(given, expected) if alone and given.error is not None else None
    if same(given.id, expected):
        return given
    return addressed(given, expected) if _answers(call, given.id, expected) else None


def _answers(call: Call, given: str | int, expected: str | int) -> bool:
    """Return whether a response with the id `given` answers the open request. A resumed stream may carry others."""
    return same(given, expected) if call.inbound.resumes is not None else alike(given, expected)


def _negotiable(result: Mapping[str, Any]) -> bool:
    """Return whether `initialize` names a revision with sessions. The client decides if it supports it."""
    if "protocolVersion" not in result:
        return True
    revision = result["protocolVersion"]
    return isinstance(revision, str) and era_of(revision) == "legacy"


def _error_body(message: Response) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": message.id, "error": message.error})
