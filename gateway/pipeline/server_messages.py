"""What a server sends of its own accord, on whatever channel: requests to the client, and notifications.

Rule 1: what the method table does not know is withheld.
Rule 2: a server's request is asked about before the client sees it, under a sealed id.
Rule 3: what was judged by its content is delivered as it came only if no reader could find other content in it.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from gateway.admission.action import Action, Answer, Withhold, again
from gateway.admission.decision import PolicyFailure
from gateway.admission.policy_input import Target
from gateway.admission.refusal import Refusal, rpc_error
from gateway.pipeline import embedded
from gateway.pipeline.call import Call
from gateway.pipeline.engine import Engine, posted
from gateway.pipeline.list_results import item_of
from gateway.pipeline.sealed import OpenRequests, sealed_request_id
from gateway.protocol.message import Notification, Request
from gateway.protocol.methods import Method, lookup
from gateway.protocol.methods import target_of as table_target
from gateway.protocol.results import unequivocal
from gateway.protocol.values import as_object

_READ_BY: Final[Mapping[str, str]] = {"resource": "resources/read", "task": "tasks/get"}
"""The call that a notification about such a target is judged as."""


class ServerMessages:
    """Turns each request and notification of an upstream into what the client gets of it."""

    def __init__(self, engine: Engine) -> None:
        """Take what asks and records."""
        self._engine: Final = engine
        self._open: Final = OpenRequests()

    async def request(self, call: Call, message: Request) -> Action:
        """A legacy server asks the client: the id is sealed, so that only its answer finds the way back."""
        if call.inbound.era == "modern":
            return Withhold()
        row = lookup(message.method, direction="server", revision=call.inbound.revision)
        if row is None or row.asked != "no":
            refusal = await self._engine.ask_server_request(call, message.method, message.params)
            if refusal is not None:
                return self._refuse_upstream(call, message, refusal)
        parts = self._engine.parts
        sealed = sealed_request_id(
            parts.ring, call, upstream_id=message.id, method=message.method, nonce=parts.ids.nonce()
        )
        self._open.keep(call.inbound, message.id, sealed)
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": sealed, "method": message.method}
        if message.params:
            body["params"] = message.params
        return Answer(status=200, body=orjson.dumps(body))

    def _refuse_upstream(self, call: Call, message: Request, refusal: Refusal) -> Action:
        if call.permit is None:
            return Withhold()
        body = rpc_error(refusal, message.id, self._engine.parts.wording)
        return again(call.permit, posted(call.inbound, subject=call.permit.outbound.subject, body=body))

    async def notification(self, call: Call, message: Notification) -> Action:
        method = lookup(message.method, direction="server", revision=call.inbound.revision)
        if method is None:
            return Withhold()
        self._engine.counts.add(call.inbound.server, message.method, "server")
        if message.method.endswith("/list_changed"):
            self._engine.parts.definitions.forget(call.inbound.server, message.method)
        if message.method == "notifications/progress" and not _own_progress(call, message):
            return Withhold()
        if message.method == "notifications/cancelled":
            return self._cancelled(call, message)
        if method.asked != "no":
            return await self._about(call, method, message)
        return Answer(status=200, body=_told(message))

    def _cancelled(self, call: Call, message: Notification) -> Action:
        """Map the id of the server's own request to its sealed form; in the modern era ids are the client's own."""
        if call.inbound.era == "modern":
            return Answer(status=200, body=_told(message))
        named = message.params.get("requestId")
        if not isinstance(named, str | int) or isinstance(named, bool):
            return Withhold()
        sealed = self._open.take(call.inbound, named)
        if sealed is None:
            return Withhold()
        params = {**message.params, "requestId": sealed}
        return Answer(status=200, body=_notification(message.method, params))

    async def _about(self, call: Call, method: Method, message: Notification) -> Action:
        """News of a resource or a task are for those who may read it."""
        place = table_target(method, message.params)
        called = _READ_BY.get(method.target)
        if place is None or called is None:
            return Withhold()
        item = item_of(self._engine, call, called, Target(type=place.type, name=place.name, uri=place.uri))
        verdicts = await self._engine.parts.listings.verdicts(self._engine.current(call), [item])
        if isinstance(verdicts, PolicyFailure) or verdicts != [True]:
            return Withhold()
        if embedded.KEY not in message.params:
            return Answer(status=200, body=_told(message))
        refusal = await embedded.refused(self._engine, call, message.params)
        return Withhold() if refusal is not None else Answer(status=200, body=_told(message))


def _own_progress(call: Call, message: Notification) -> bool:
    """On the stream of one request, only its own progress token may be used (PROTOCOL section 7)."""
    request = call.inbound.message
    if not isinstance(request, Request):
        return True
    own_token = (as_object(request.params.get("_meta")) or {}).get("progressToken")
    token = message.params.get("progressToken")
    return token is not None and token == own_token and type(token) is type(own_token)


def _told(message: Notification) -> bytes:
    """Return a notification as it came, or anew where a client could read another uri, task or token in it."""
    return message.raw if unequivocal(message.raw) else _notification(message.method, message.params)


def _notification(method: str, params: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})
