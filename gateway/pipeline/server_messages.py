"""Messages that a server sends on its own initiative, on any channel: requests to the client, and notifications.

Rule 1: a message with a method that the method table does not contain is withheld.
Rule 2: policy is asked about a server's request before the client sees it. The client sees it under a sealed id.
Rule 3: a message about a task or a request of another client is withheld.
Rule 4: a message judged by its content is delivered unchanged only if no reader could find other content in it.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from msgspec.structs import replace

from gateway.admission.action import Action, Answer, Withhold, again
from gateway.admission.policy_input import Target
from gateway.admission.refusal import Refusal, own, rpc_error
from gateway.pipeline import embedded_requests
from gateway.pipeline.call import Call
from gateway.pipeline.engine import Engine, posted
from gateway.pipeline.list_results import broken, is_listed
from gateway.pipeline.ownership import is_name
from gateway.pipeline.progress import ProgressTokens
from gateway.pipeline.sealed_ids import binding_of, sealed_request_id
from gateway.pipeline.task_ids import TaskIds, Texts
from gateway.protocol.ambiguous_results import unequivocal
from gateway.protocol.json_values import as_object
from gateway.protocol.key_folding import clashing, misspelt
from gateway.protocol.message import Notification, Request
from gateway.protocol.methods import Method, lookup
from gateway.protocol.methods import target_of as table_target
from gateway.protocol.ownership_exchange import Claim
from gateway.protocol.reply_ids import same
from gateway.protocol.splicing import altered, spliced

_READ_BY: Final[Mapping[str, str]] = {"resource": "resources/read", "task": "tasks/get"}
"""The call that a notification about a target of this type is judged as."""
_FOREIGN: Final = own("policy_denied", "the request belongs to a task that is not known to be this client's")


class ServerMessages:
    """Processing of an upstream's requests and notifications for the client."""

    def __init__(self, engine: Engine, progress: ProgressTokens, tasks: TaskIds) -> None:
        """Take the engine, the progress tokens of open requests, and the owners of tasks."""
        self._engine: Final = engine
        self._progress: Final = progress
        self._tasks: Final = tasks
        self._ownership: Final = tasks.ownership

    async def request(self, call: Call, message: Request) -> Action:
        """Deliver a legacy server's request under a sealed id, so that only this client can answer it."""
        if call.inbound.era == "modern":
            return Withhold(detail="the server sends a request, which this revision does not have")
        if misspelt(message.params) is not None or clashing(message.params) is not None:
            return self._refuse_upstream(call, message, broken("its request has a key that resembles another one"))
        row = lookup(message.method, direction="server", revision=call.inbound.revision)
        texts = await self._tasks.in_message(call, message.params, named=False)
        if texts is None:
            return self._refuse_upstream(call, message, _FOREIGN)
        if row is None or row.asked != "no":
            refusal = await self._engine.ask_server_request(call, message.method, message.params)
            if refusal is not None:
                return self._refuse_upstream(call, message, refusal)
        parts = self._engine.parts
        sealed = sealed_request_id(
            parts.ring, call, upstream_id=message.id, method=message.method, nonce=parts.ids.nonce()
        )
        self._ownership.requests.keep(call.inbound, message.id, sealed)
        token = (as_object(message.params.get("_meta")) or {}).get("progressToken")
        self._ownership.keep_token(call.inbound, call.call_id, token)
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": sealed, "method": message.method}
        if message.params:
            body["params"] = altered({"params": message.params}, texts)["params"]
        return Answer(status=200, body=orjson.dumps(body))

    def _refuse_upstream(self, call: Call, message: Request, refusal: Refusal) -> Action:
        if call.permit is None:
            return Withhold()
        body = rpc_error(refusal, message.id, self._engine.parts.wording)
        return again(call.permit, posted(call.inbound, subject=call.permit.outbound.subject, body=body))

    async def notification(self, call: Call, message: Notification) -> Action:
        """Deliver a server's notification if it is about something of this client."""
        method = lookup(message.method, direction="server", revision=call.inbound.revision)
        if method is None:
            return Withhold(detail="the server sends a notification of an unknown method")
        self._engine.counts.add(call.inbound.server, message.method, "server")
        if message.method.endswith("/list_changed"):
            self._engine.parts.definitions.forget(call.inbound.server, message.method)
        told = await self._named(call, message)
        if isinstance(told, Withhold):
            return told
        texts = await self._tasks.in_message(call, told.params, named=method.target == "task")
        if texts is None:
            return Withhold(detail="the server names a task of another client")
        if method.asked != "no" and not await self._readable(call, method, told):
            return Withhold()
        refusal = await embedded_requests.refused_news(self._engine, call, told.params)
        return Withhold() if refusal is not None else Answer(status=200, body=_told(told, texts))

    async def _named(self, call: Call, message: Notification) -> Notification | Withhold:
        """Return a notification with the token or the id that the client knows."""
        if message.method == "notifications/progress":
            return self._progressed(call, message)
        if message.method == "notifications/cancelled":
            canceled = await self._cancelled(call, message)
            return canceled or Withhold(detail="the server cancels a request that is not open here")
        return message

    def _progressed(self, call: Call, message: Notification) -> Notification | Withhold:
        """Return progress of an open request, with the token as the client wrote it."""
        given = message.params.get("progressToken")
        own = self._progress.own(call, given)
        if own is None:
            return Withhold(detail="the server reports progress of a request that is not open here")
        if same(given, own):
            return message
        params = {**message.params, "progressToken": own}
        return replace(message, params=params, raw=_notification(message.method, params))

    async def _cancelled(self, call: Call, message: Notification) -> Notification | None:
        """Return the cancellation with the id that the client knows, or null if it names nothing of this client.

        In the modern era a server cancels the client's own request on the stream of that request. In the legacy era it
        cancels its own request, whose id is sealed.
        """
        named = message.params.get("requestId")
        if not is_name(named):
            return None
        if call.inbound.era == "modern":
            own = call.inbound.request_id
            return message if named == own and type(named) is type(own) else None
        bound = binding_of(call.inbound).hex()
        claim = Claim(kind="server_request", server=call.inbound.server, principal=bound, names=(named,))
        held = await self._ownership.held(claim)
        if held is None or not held.texts[0]:
            return None
        self._ownership.requests.forget(bound, named)
        params = {**message.params, "requestId": held.texts[0]}
        return replace(message, params=params, raw=_notification(message.method, params))

    async def _readable(self, call: Call, method: Method, message: Notification) -> bool:
        """Return whether the client may read the resource or the task that a notification is about."""
        place = table_target(method, message.params)
        called = _READ_BY.get(method.target)
        if place is None or called is None:
            return False
        return await is_listed(self._engine, call, called, Target(type=place.type, name=place.name, uri=place.uri))


def _told(message: Notification, texts: Texts) -> bytes:
    """Return a notification with the task ids that the client knows, and everything else unchanged.

    It is serialized again if a client could read another URI, task or token in it.
    """
    if unequivocal(message.raw):
        return spliced(message.raw, texts)
    return _notification(message.method, altered({"params": message.params}, texts)["params"])


def _notification(method: str, params: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})
