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
from gateway.pipeline.list_results import broken, item_of
from gateway.pipeline.progress import ProgressTokens
from gateway.pipeline.sealed import OpenRequests, sealed_request_id
from gateway.protocol.keys import clashing, misspelt
from gateway.protocol.message import Notification, Request
from gateway.protocol.methods import Method, lookup
from gateway.protocol.methods import target_of as table_target
from gateway.protocol.reply_ids import same
from gateway.protocol.results import unequivocal

_READ_BY: Final[Mapping[str, str]] = {"resource": "resources/read", "task": "tasks/get"}
"""The call that a notification about such a target is judged as."""


class ServerMessages:
    """Turns each request and notification of an upstream into what the client gets of it."""

    def __init__(self, engine: Engine, progress: ProgressTokens) -> None:
        """Take what asks and records, and the progress tokens of the requests that are open."""
        self._engine: Final = engine
        self._progress: Final = progress
        self._open: Final = OpenRequests()

    async def request(self, call: Call, message: Request) -> Action:
        """A legacy server asks the client: the id is sealed, so that only its answer finds the way back."""
        if call.inbound.era == "modern":
            return Withhold(detail="the server sends a request, which this revision does not have")
        if misspelt(message.params) is not None or clashing(message.params) is not None:
            return self._refuse_upstream(call, message, broken("its request has a key that resembles another one"))
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
            return Withhold(detail="the server sends a notification of an unknown method")
        self._engine.counts.add(call.inbound.server, message.method, "server")
        if message.method.endswith("/list_changed"):
            self._engine.parts.definitions.forget(call.inbound.server, message.method)
        if message.method == "notifications/progress":
            return self._progressed(call, message)
        if message.method == "notifications/cancelled":
            return self._cancelled(call, message)
        if method.asked != "no":
            return await self._about(call, method, message)
        return await self._news(call, message)

    async def _news(self, call: Call, message: Notification) -> Action:
        """Deliver a notification, unless something in it asks the client for what policy refuses."""
        refusal = await embedded.refused_news(self._engine, call, message.params)
        return Withhold() if refusal is not None else Answer(status=200, body=_told(message))

    def _progressed(self, call: Call, message: Notification) -> Action:
        """Deliver progress of an open request, with the token as the client wrote it."""
        given = message.params.get("progressToken")
        own = self._progress.own(call, given)
        if own is None:
            return Withhold(detail="the server reports progress of a request that is not open here")
        if same(given, own):
            return Answer(status=200, body=_told(message))
        return Answer(status=200, body=_notification(message.method, {**message.params, "progressToken": own}))

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
        return await self._news(call, message)


def _told(message: Notification) -> bytes:
    """Return a notification as it came, or anew where a client could read another uri, task or token in it."""
    return message.raw if unequivocal(message.raw) else _notification(message.method, message.params)


def _notification(method: str, params: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})
