"""The ASGI endpoint: parse an HTTP request, admit it and perform the action.

Rule 1: only exact paths are served, without redirects and without guesses.
Rule 2: an exception that no other code handles is caught here, and the request is refused.
"""

import asyncio
import logging
import re
from typing import Final

from msgspec import Struct
from starlette.types import Receive, Scope, Send

from gateway.admission.action import Answer
from gateway.admission.correlation import unread
from gateway.admission.decision import Verdict
from gateway.admission.principal import Verified
from gateway.admission.recording import PartialMessage
from gateway.admission.refusal import JSON
from gateway.listening.connections import closed, connection_key, identify
from gateway.pipeline import Pipeline
from gateway.pipeline.call import Settled
from gateway.pipeline.heavy_turns import LARGE, Sender
from gateway.pipeline.loop_turns import loop_turns
from gateway.protocol.errors import error_body, failure_body
from gateway.protocol.headers import Headers, read_headers, unpostable, unstreamable
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Message, read, reading, unread_answer
from gateway.protocol.strict_json import JsonLimits
from gateway.server.asgi_exchange import AsgiExchange, BodyIncomplete, BodyTooLarge, ByteLimitReached
from gateway.server.exchange_limits import CallerLimits, Exchanges, OpenRequest
from gateway.server.gateway_closed_exchanges import turn_back
from gateway.server.parse_request import RejectedMessage, RequestOrigin, RequestParser, place, unreadable
from gateway.server.perform_action import Performer
from gateway.server.ports import CredentialVerifier, Meters, UnverifiedCaller
from gateway.server.relay import RelayLimits
from gateway.server.streams import Streams
from gateway.server.unauthenticated import unverified_answer

_PATH: Final = re.compile(r"/servers/([a-z0-9][a-z0-9._-]{0,62})/mcp")
_VERBS: Final = {"POST", "GET", "DELETE"}
_LOG: Final = logging.getLogger(__name__)


class EndpointLimits(Struct, frozen=True, kw_only=True):
    """The limits of a message and of its relay. `shown`: header names that policy may see, in lower case."""

    body_bytes: int
    message: JsonLimits
    relay: RelayLimits
    caller: CallerLimits = CallerLimits()
    shown: tuple[str, ...] = ()


class McpEndpoint:
    """The ASGI application for MCP clients."""

    def __init__(
        self, pipeline: Pipeline, callers: CredentialVerifier, meters: Meters, streams: Streams, limits: EndpointLimits
    ) -> None:
        """Take the components from `gateway.app`."""
        self._pipeline: Final = pipeline
        self._callers: Final = callers
        self._meters: Final = meters
        self._limits: Final = limits
        self._wording: Final = pipeline.engine.parts.wording
        self._exchanges: Final = Exchanges(limits.caller)
        self._performer: Final = Performer(pipeline, streams, meters, callers, limits.relay)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        edge = AsgiExchange(scope, receive, send)
        try:
            await self._served(edge)
        except Exception:  # noqa: BLE001 - the outermost frame, and it refuses
            _LOG.exception("an exchange failed and was refused")
            await _failed(edge)
        except asyncio.CancelledError:  # the worker ends; forwarded calls already have their answers
            await turn_back(edge)
        finally:
            await edge.close()

    async def _served(self, edge: AsgiExchange) -> None:
        await loop_turns().starts.start(connection_key(edge.scope))
        if closed(edge.scope):  # policy was not asked: there is nothing to record
            return
        found = _PATH.fullmatch(edge.scope["path"])
        if found is None:
            await edge.respond(
                404, JSON, error_body(None, -32600, "unknown path; MCP servers are at /servers/<id>/mcp")
            )
            return
        if edge.scope["method"] not in _VERBS:
            await edge.respond(
                405,
                (*JSON, ("allow", "POST, GET, DELETE")),
                error_body(None, -32600, "method not allowed; use POST, GET or DELETE"),
            )
            return
        verified = await self._callers.verify(
            edge.scope["headers"], server=found[1], query=edge.scope["query_string"], source_ip=edge.source_ip
        )
        if isinstance(verified, UnverifiedCaller):
            await self._unverified(edge, found[1], verified)
            return
        caller = self._pipeline.engine.parts.turns.caller_of(verified.principal, edge.source_ip)
        exchange = self._exchanges.begin(caller)
        if exchange is None:
            await self._turn_away(edge, found[1], self._exchanges.too_many(), b"")
            return
        try:
            await self._exchanged(edge, found[1], verified, exchange)
        finally:
            self._exchanges.end(exchange)

    async def _exchanged(self, edge: AsgiExchange, server: str, verified: Verified, exchange: OpenRequest) -> None:
        """Read, admit and perform the request of a verified caller."""
        arrived = await self._arrived(edge, server, verified, exchange)
        if arrived is None:
            return
        inbound = place(arrived, self._pipeline.engine.parts.ring, self._wording, self._performer.sessionless)
        if isinstance(inbound, RejectedMessage):
            await self._turn_away(edge, server, inbound, _raw(arrived))
            return
        settled = await self._pipeline.admit(inbound)
        if _known(settled):
            identify(edge.scope, verified.principal.key)
        await self._performer.perform(edge, settled)

    async def _arrived(
        self, edge: AsgiExchange, server: str, verified: Verified, exchange: OpenRequest
    ) -> RequestParser | None:
        """Return the parsed request, or null if it was already turned away."""
        headers = read_headers(edge.scope["headers"])
        if isinstance(headers, Malformed):
            await self._turn_away(edge, server, unreadable(headers, Headers({}), self._wording), b"")
            return None
        caller = RequestOrigin(verified=verified, source_ip=edge.source_ip, shown=self._shown(headers))
        body = await self._body(edge, headers, server, exchange)
        message = await self._message(edge, headers, server, caller, body) if isinstance(body, bytes) else body
        if isinstance(message, RejectedMessage):
            return None
        return RequestParser(
            verb=edge.scope["method"],
            server=server,
            headers=headers,
            caller=caller,
            message=message,
            request_id=edge.request_id,
        )

    async def _body(
        self, edge: AsgiExchange, headers: Headers, server: str, exchange: OpenRequest
    ) -> bytes | RejectedMessage | None:
        """Return the body of a POST, or null for other verbs. Turn away a request with a fault."""
        if edge.scope["method"] != "POST":
            fault = unstreamable(headers) if edge.scope["method"] == "GET" else None
            if fault is None:
                return None
            return await self._turn_away(edge, server, unreadable(fault, headers, self._wording), b"")
        fault = unpostable(headers)
        if fault is not None:
            return await self._turn_away(edge, server, unreadable(fault, headers, self._wording), b"")
        body = await edge.body(self._limits.body_bytes, exchange.take)
        if isinstance(body, ByteLimitReached):
            return await self._turn_away(edge, server, self._exchanges.too_large(), b"")
        if isinstance(body, BodyIncomplete | BodyTooLarge):
            return await self._turn_away(edge, server, _cut(body), b"")
        return body

    async def _message(
        self, edge: AsgiExchange, headers: Headers, server: str, caller: RequestOrigin, body: bytes
    ) -> Message | RejectedMessage:
        """Return the message in a body. Answer a malformed one."""
        if len(body) < LARGE:
            message = read(body, self._limits.message)
        else:
            message = await self._read_in_turn(edge, body, caller)
        if message is None:
            return await self._turn_away(edge, server, _cut(BodyIncomplete()), b"")
        if not isinstance(message, Malformed):
            return message
        turned = unreadable(message, headers, self._wording)
        if not message.answers:
            return await self._turn_away(edge, server, turned, body)
        await self._record(edge, server, turned, body)
        return unread_answer(message)

    async def _read_in_turn(self, edge: AsgiExchange, body: bytes, caller: RequestOrigin) -> Message | Malformed | None:
        """Read a large body in a turn of its caller. Return null if the client has disconnected meanwhile."""
        turns = self._pipeline.engine.parts.turns
        sender = Sender(principal=caller.verified.principal, source_ip=caller.source_ip)
        async with turns.turn(sender):
            return None if closed(edge.scope) else await turns.run(reading(body, self._limits.message))

    async def _turn_away(
        self, edge: AsgiExchange, server: str, turned: RejectedMessage, body: bytes
    ) -> RejectedMessage:
        answer = await self._record(edge, server, turned, body)
        await edge.respond(answer.status, answer.headers, answer.body)
        return turned

    async def _record(self, edge: AsgiExchange, server: str, turned: RejectedMessage, body: bytes) -> Answer:
        """Record a message that cannot be put to policy, and return its answer."""
        self._meters.malformed(turned.code)
        self._meters.refused(turned.code, detail=turned.detail)
        about = PartialMessage(
            server=server,
            method=turned.method,
            detail=turned.detail,
            status=turned.answer.status,
            body=body,
            correlation=unread(edge.request_id.text, given=edge.request_id.given),
        )
        return await self._pipeline.turn_away(turned.code, about, source_ip=edge.source_ip, answer=turned.answer)

    async def _unverified(self, edge: AsgiExchange, server: str, caller: UnverifiedCaller) -> None:
        answer = unverified_answer(caller)
        self._meters.malformed(caller.cause)
        self._meters.refused(caller.cause, detail=caller.reason)
        if caller.recorded:
            known = unread(edge.request_id.text, given=edge.request_id.given)
            about = PartialMessage(server=server, detail=caller.reason, status=caller.status, correlation=known)
            answer = await self._pipeline.turn_away(caller.cause, about, source_ip=edge.source_ip, answer=answer)
        await edge.respond(answer.status, answer.headers, answer.body)

    def _shown(self, headers: Headers) -> dict[str, str]:
        values = headers.values
        return {name: values[name] for name in self._limits.shown if name in values}


async def _failed(edge: AsgiExchange) -> None:
    """Answer that the gateway failed. Abort an answer that has begun, so that it does not look complete."""
    if edge.started:
        edge.abort()
    body = failure_body(None, "internal_failure", "the gateway failed; check whether the request was executed")
    await edge.respond(500, JSON, body)


def _known(settled: Settled) -> bool:
    """Return whether policy knows the caller. A token that policy does not know can come from anyone."""
    decided = isinstance(settled.call.answer, Verdict)
    return decided and not (settled.refusal is not None and settled.refusal.unauthenticated)


def _raw(arrival: RequestParser) -> bytes:
    return arrival.message.raw if arrival.message is not None else b""


def _cut(body: BodyIncomplete | BodyTooLarge) -> RejectedMessage:
    if isinstance(body, BodyIncomplete):
        answer = Answer(
            status=400, body=error_body(None, -32700, "the connection ended before the body was complete"), headers=JSON
        )
        return RejectedMessage(
            code="body_incomplete", detail="the connection ended before the body was complete", answer=answer
        )
    why = f"the body is larger than {body.limit} bytes"
    return RejectedMessage(
        code="body_too_large", detail=why, answer=Answer(status=413, body=error_body(None, -32600, why), headers=JSON)
    )
