"""What a server sends to a client, judged message by message, on whatever channel it comes.

Rule 1: a response is delivered only to the request that it answers; ids `1` and `"1"` differ.
Rule 2: what the method table does not know is withheld.
Rule 3: a list is learned unfiltered and delivered filtered; a server's request is asked about first.
Rule 4: what was judged by its content is delivered as it came only where no reader could find other content in it.
"""

from collections.abc import Mapping
from typing import Any, Final, assert_never

import orjson

from gateway.admission import question as questions
from gateway.admission.action import Action, Answer, Withhold, again
from gateway.admission.decision import PolicyFailure
from gateway.admission.enforce import undecided
from gateway.admission.listing import LISTED_BY, LISTS, capped, filtered, items_of, target_of
from gateway.admission.policy_input import Item, Target
from gateway.admission.refusal import Refusal, answer, own, rpc_error
from gateway.pipeline import embedded
from gateway.pipeline.call import Call
from gateway.pipeline.capabilities import CONNECTING, Capabilities
from gateway.pipeline.engine import Engine, posted
from gateway.pipeline.output_check import output_fault
from gateway.pipeline.sealed import OpenRequests, sealed_request_id
from gateway.protocol.errors import result_body
from gateway.protocol.message import Malformed, Notification, Request, Response, read_reply
from gateway.protocol.methods import Method, lookup
from gateway.protocol.methods import target_of as table_target
from gateway.protocol.results import ambiguous, misleading, unequivocal
from gateway.protocol.values import as_object

_READ_BY: Final[Mapping[str, str]] = {"resource": "resources/read", "task": "tasks/get"}
"""The call that a notification about such a target is judged as."""


class Replies:
    """Turns each message of an upstream into what the client gets of it."""

    def __init__(self, engine: Engine, capabilities: Capabilities, *, ttl_cap_ms: int) -> None:
        """Take what asks and records, and what narrows; clients may keep results for `ttl_cap_ms` milliseconds."""
        self._engine: Final = engine
        self._capabilities: Final = capabilities
        self._ttl_cap_ms: Final = ttl_cap_ms
        self._open: Final = OpenRequests()

    async def settle(self, call: Call, raw: bytes) -> Action:
        """Return what to do with one message of the upstream, received on the channel of `call`."""
        message = read_reply(raw)
        match message:
            case Malformed():
                return self._broken(call, message.reason)
            case Response():
                return await self._response(call, message)
            case Request():
                return await self._request(call, message)
            case Notification():
                return await self._notification(call, message)
            case _:
                assert_never(message)

    async def _response(self, call: Call, message: Response) -> Action:
        expected, method = _open_request(call)
        if expected is None or message.id != expected or type(message.id) is not type(expected):
            return Withhold()
        result = message.result
        if not isinstance(result, dict):
            return self._plain(call, message)
        if misleading(result):
            return self._broken(call, "the result has a key that some readers take for another one")
        if embedded.asks(result):
            return await self._asking(call, message, result)
        if method in LISTS:
            return await self._list(call, method, result)
        if method in CONNECTING:
            return await self._connected(call, message, result)
        return self._whole(call, message, result)

    async def _connected(self, call: Call, message: Response, result: dict[str, Any]) -> Action:
        """Tell a client that connects of no capability that policy refuses it."""
        shown = await self._capabilities.offered(call.inbound, self._engine.current(call), result)
        if isinstance(shown, PolicyFailure):
            return self._refused(call, undecided(shown))
        return self._whole(call, message, shown, doubtful=not unequivocal(message.raw))

    def _whole(self, call: Call, message: Response, result: dict[str, Any], *, doubtful: bool = False) -> Action:
        """Deliver a result as it came, or written anew where clients must keep it less, or could misread it."""
        fault = output_fault(call, result, len(message.raw))
        if fault:
            return self._broken(call, fault)
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
        return Answer(status=200, body=message.raw)

    async def _list(self, call: Call, method: str, result: Mapping[str, Any]) -> Action:
        items, (request_id, _) = items_of(method, result), _open_request(call)
        if items is None or call.view is None or request_id is None:
            return self._broken(call, f"the result of {method} holds no list")
        parts = self._engine.parts
        first, last = not _cursor(call), not result.get("nextCursor")
        if LISTS[method].type in LISTED_BY:
            parts.definitions.learn(call.view, method, result, first=first, last=last)
        targets = [target_of(method, item) for item in items]
        stated = [self._item(call, LISTS[method].call, target) for target in targets if target is not None]
        verdicts = await parts.listings.verdicts(self._engine.current(call), stated)
        if isinstance(verdicts, PolicyFailure):
            return self._refused(call, undecided(verdicts))
        spread = iter(verdicts)
        shown = filtered(method, result, [target is not None and next(spread) for target in targets])
        body = capped(shown, self._ttl_cap_ms) if call.inbound.era == "modern" else shown
        return Answer(status=200, body=result_body(request_id, body))

    def _item(self, call: Call, called: str, target: Target) -> Item:
        view = call.view
        presented = self._engine.parts.definitions.seen(view, target) if view else None
        definition = presented.definition if presented else None
        return questions.item(call.inbound, method=called, target=target, definition=definition)

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

    async def _request(self, call: Call, message: Request) -> Action:
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

    async def _notification(self, call: Call, message: Notification) -> Action:
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
        item = self._item(call, called, Target(type=place.type, name=place.name, uri=place.uri))
        verdicts = await self._engine.parts.listings.verdicts(self._engine.current(call), [item])
        if isinstance(verdicts, PolicyFailure) or verdicts != [True]:
            return Withhold()
        if embedded.KEY not in message.params:
            return Answer(status=200, body=_told(message))
        refusal = await embedded.refused(self._engine, call, message.params)
        return Withhold() if refusal is not None else Answer(status=200, body=_told(message))

    def _broken(self, call: Call, why: str) -> Action:
        return self._refused(
            call, own(embedded.BROKEN, f"the server's answer cannot be used: {why}", "Tell the server's owner.")
        )

    def _refused(self, call: Call, refusal: Refusal) -> Action:
        return answer(refusal, call.inbound, self._engine.parts.wording)


def _open_request(call: Call) -> tuple[str | int | None, str]:
    """Return id and method of the request whose response may come on this channel."""
    resumes = call.inbound.resumes
    if resumes is not None:
        return resumes.request_id, resumes.method
    return call.inbound.request_id, call.inbound.method.name


def _cursor(call: Call) -> object:
    message = call.inbound.message
    return message.params.get("cursor") if isinstance(message, Request) else None


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
