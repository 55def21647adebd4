"""What a server sends to a client, judged message by message, on every channel.

Rule 1: a response is delivered only to the request that it answers; ids `1` and `"1"` differ.
Rule 2: what was judged by its content is delivered as it came only where no reader could find other content in it.
"""

from collections.abc import Mapping
from typing import Any, Final, assert_never

import orjson

from gateway.admission.action import Action, Answer, Withhold
from gateway.admission.decision import PolicyFailure
from gateway.admission.enforce import undecided
from gateway.admission.listing import LISTS, capped
from gateway.admission.refusal import Refusal, answer
from gateway.pipeline import embedded
from gateway.pipeline.call import Call, open_request
from gateway.pipeline.capabilities import CONNECTING, Capabilities
from gateway.pipeline.engine import Engine
from gateway.pipeline.list_results import ListResults, after_sending, broken
from gateway.pipeline.server_messages import ServerMessages
from gateway.pipeline.task_ids import TaskIds
from gateway.pipeline.task_results import LIST as TASKS
from gateway.pipeline.task_results import TaskResults, shown
from gateway.protocol.errors import result_body
from gateway.protocol.message import Malformed, Notification, Request, Response, read_reply
from gateway.protocol.results import ambiguous, misleading, unequivocal
from gateway.protocol.values import as_list, as_object


class Replies:
    """Turns each message of an upstream into what the client gets of it."""

    def __init__(self, engine: Engine, capabilities: Capabilities, tasks: TaskIds, *, ttl_cap_ms: int) -> None:
        """Take what asks and records, and what narrows; clients may keep results for `ttl_cap_ms` milliseconds."""
        self._tasks: Final = TaskResults(engine, tasks)
        self._engine: Final = engine
        self._capabilities: Final = capabilities
        self._ttl_cap_ms: Final = ttl_cap_ms
        self._lists: Final = ListResults(engine, ttl_cap_ms=ttl_cap_ms)
        self._server: Final = ServerMessages(engine, tasks)

    async def settle(self, call: Call, raw: bytes) -> Action:
        """Return what to do with one message of the upstream, received on the channel of `call`."""
        message = read_reply(raw)
        match message:
            case Malformed():
                return self._broken(call, message.reason)
            case Response():
                return await self._response(call, message)
            case Request():
                return await self._server.request(call, message)
            case Notification():
                return await self._server.notification(call, message)
            case _:
                assert_never(message)

    async def _response(self, call: Call, message: Response) -> Action:
        expected, method = open_request(call)
        if expected is None or message.id != expected or type(message.id) is not type(expected):
            return Withhold()
        result = message.result
        if not isinstance(result, dict):
            return self._plain(call, message)
        if misleading(result):
            return self._broken(call, "the result has a key that some readers take for another one")
        texts = await self._tasks.in_result(call, result)
        if isinstance(texts, Refusal):
            return self._refused(call, texts)
        return shown(await self._judged(call, message, method, result), texts)

    async def _judged(self, call: Call, message: Response, method: str, result: dict[str, Any]) -> Action:
        """Return what the client gets of a result, in which the task ids are the server's own."""
        if method == TASKS:
            return await self._own_tasks(call, result)
        if embedded.asks(result):
            return await self._asking(call, message, result)
        if method in LISTS:
            return await self._lists.settle(call, method, result)
        if method in CONNECTING:
            return await self._connected(call, message, result)
        return self._whole(call, message, result)

    async def _own_tasks(self, call: Call, result: dict[str, Any]) -> Action:
        """Deliver those tasks of a list that are this principal's, and that policy lets it read."""
        if as_list(result.get("tasks")) is None:
            return await self._lists.settle(call, TASKS, result)
        listed = await self._lists.settle(call, TASKS, await self._tasks.own_list(call, result))
        body = as_object(orjson.loads(listed.body)) if isinstance(listed, Answer) else None
        return shown(listed, self._tasks.listed(call, as_object((body or {}).get("result")) or {}))

    async def _connected(self, call: Call, message: Response, result: dict[str, Any]) -> Action:
        """Tell a client that connects of no capability that policy refuses it."""
        shown = await self._capabilities.offered(call.inbound, self._engine.current(call), result)
        if isinstance(shown, PolicyFailure):
            return self._refused(call, undecided(shown))
        return self._whole(call, message, shown, doubtful=not unequivocal(message.raw))

    def _whole(self, call: Call, message: Response, result: dict[str, Any], *, doubtful: bool = False) -> Action:
        """Deliver a result as it came, or written anew where clients must keep it less, or could misread it."""
        modern = call.inbound.era == "modern"
        shown = capped(result, self._ttl_cap_ms) if modern and call.inbound.method.cacheable else result
        doubtful = doubtful or (modern and ambiguous(message.raw))
        if message.id is not None and (doubtful or shown != message.result):
            return Answer(status=200, body=result_body(message.id, shown))
        return Answer(status=200, body=message.raw)

    def _plain(self, call: Call, message: Response) -> Action:
        """Deliver an error response; a result that is not an object is no MCP result."""
        if message.error is None:
            return self._broken(call, "the result is not an object")
        return shown(Answer(status=200, body=message.raw), self._tasks.in_error(call, message.error))

    async def _asking(self, call: Call, message: Response, result: Mapping[str, Any]) -> Action:
        """A modern server asks the client for something."""
        if not embedded.may_ask(call.inbound.method, result):
            return self._broken(call, "this method may not ask the client for input")
        refusal = await embedded.refused(self._engine, call, result)
        if refusal is not None:
            return self._refused(call, refusal)
        if message.id is None:
            return Withhold()
        # Written anew: of two keys alike, which some reader takes the other way, only the judged one is left.
        return Answer(status=200, body=result_body(message.id, dict(result)))

    def _broken(self, call: Call, why: str) -> Action:
        return self._refused(call, broken(why))

    def _refused(self, call: Call, refusal: Refusal) -> Action:
        return answer(after_sending(refusal), call.inbound, self._engine.parts.wording)
