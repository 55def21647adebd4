"""Relay of an upstream's JSON body to the client: the whole response to a request.

Rule 1: a body that is not the response to the request becomes an error for the sender that names the kind of the body.
Rule 2: a JSON-RPC error reaches the client with any HTTP status. In the legacy era the status becomes 200, because a
4xx ends the sessions of some clients. A 404 to a session stays 404, because it means that the session has ended.
Without an error it has no body, because clients have their own message for a session that has ended. In the modern era
a 4xx stays, because clients recognize the era of a server by it.
"""

from typing import Final

from gateway.admission.action import Action, Answer, Withhold
from gateway.admission.refusal import JSON
from gateway.pipeline.loop_turns import budget_of
from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.protocol.message import Response
from gateway.protocol.reply_ids import read_body
from gateway.server import upstream_errors
from gateway.server.passthrough import Passthrough
from gateway.server.recipient import Recipient
from gateway.server.sessions import answered_headers, carried_headers

ERROR: Final = 400
_OK: Final = 200
_GONE: Final = 404


class JsonAnswer:
    """Relay of one body, created for each reply."""

    def __init__(self, recipient: Recipient, reply: Reply) -> None:
        """Take the client, and the reply with the head of a JSON answer."""
        self._to: Final = recipient
        self._reply: Final = reply
        self.answered = False
        """True if the client has the response."""

    async def run(self) -> UpstreamFailure | None:
        """Relay the body. Return why the client gets no response."""
        body = await self._reply.read(self._to.limits.result_bytes)
        if isinstance(body, UpstreamFailure):
            return await self._oversize(body)
        if not body or body.isspace():
            return upstream_errors.EMPTY if self._reply.status < ERROR else await self._failed(body)
        budget = budget_of(self._to.call.inbound)
        await budget.pause(len(body))
        if self._reply.status >= ERROR:
            return await self._failed(body)
        action = await self._to.pipeline.settle(self._to.call, body, alone=True)
        self._to.outcome.message(body)
        await budget.pause()
        return await self._deliver(_OK, action)

    async def _deliver(self, status: int, action: Action, body: bytes = b"") -> UpstreamFailure | None:
        """Answer with a response or a refusal. A body with any other message is a failure."""
        if not isinstance(action, Answer) or not action.final:
            detail = action.detail if isinstance(action, Withhold) else "it is another message"
            return upstream_errors.unanswered(detail)
        told = (not action.code and body) or action.body
        await self._to.told(action, told, budget_of(self._to.call.inbound))
        self.answered = True
        headers = answered_headers(self._to.pipeline, self._to.call, self._reply, action.body)
        status = action.status if action.code else status
        await self._to.edge.respond(status, (*headers, *JSON), told)
        return None

    async def _failed(self, body: bytes) -> UpstreamFailure | None:
        """Relay the JSON-RPC error of a reply with an error status. Nothing else of its body is shown."""
        status, message = self._reply.status, read_body(body)
        if isinstance(message, Response) and message.error is not None and status not in upstream_errors.UNSHOWN:
            action = await self._to.pipeline.settle(self._to.call, body, alone=True)
            if isinstance(action, Answer) and action.final:
                self._to.outcome.message(body)
                kept = self._keeps_status()
                shown = upstream_errors.error_only(body) if kept and message.id is None else b""
                return await self._deliver(status if kept else _OK, action, shown)
        if status in upstream_errors.REFUSED or status >= upstream_errors.SERVER_ERROR:
            return upstream_errors.unwilling(self._reply)
        gone = self._to.call.inbound.era == "legacy" and self._keeps_status()
        shown = upstream_errors.error_only(body, b"" if gone else upstream_errors.MESSAGE_REFUSED)
        await self._to.edge.respond(status, (*carried_headers(self._reply), *(JSON if shown else ())), shown)
        return None

    def _keeps_status(self) -> bool:
        inbound, status = self._to.call.inbound, self._reply.status
        if inbound.era == "legacy":
            return status == _GONE and inbound.session is not None
        return status < upstream_errors.SERVER_ERROR and status not in upstream_errors.REFUSED

    async def _oversize(self, failure: UpstreamFailure) -> UpstreamFailure | None:
        """Relay a large result unread if the route permits it, or return the failure."""
        if failure.code != "result_too_large" or self._reply.status >= ERROR:
            return failure
        unread = Passthrough(self._to.edge, self._to.call, self._to.outcome)
        refused = await unread.body(self._reply, failure)
        self.answered = refused is None
        return refused
