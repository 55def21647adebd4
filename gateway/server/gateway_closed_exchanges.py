"""Ends of exchanges that the gateway closes itself. The client gets a complete answer.

Rule 1: a standing stream ends as a server ends it: a listen stream with its result, a GET stream without one.
Rule 2: nothing is written after a part of an event, because clients could take it for the rest of the event.
"""

from typing import Final

from gateway.admission.refusal import JSON
from gateway.pipeline.call import Call
from gateway.pipeline.ports import UpstreamFailure
from gateway.protocol import sse
from gateway.protocol.errors import failure_body, result_body
from gateway.server.asgi_exchange import AsgiExchange
from gateway.server.relay import Relay

_CLOSED: Final = UpstreamFailure(
    code="upstream_unavailable", detail="the gateway closed the stream before the server answered"
)
_ENDING: Final = UpstreamFailure(
    code="upstream_timeout", detail="the gateway is shutting down and no longer waits for the answer"
)
_LATER: Final = (*JSON, ("retry-after", "1"))


async def close_stream(edge: AsgiExchange, call: Call, relay: Relay) -> None:
    """End a standing stream because of policy, the end of its credential or the end of the worker."""
    if edge.gone or relay.midway:
        edge.abort()
    elif not edge.started:
        await relay.fail(_CLOSED)
    else:
        await edge.write(_result(call), more=False)


async def break_off(edge: AsgiExchange, relay: Relay) -> None:
    """Answer a call if the worker ends before the server has answered."""
    if edge.gone or relay.midway:
        edge.abort()
    elif relay.answered:
        await edge.write(b"", more=False)
    else:
        await relay.fail(_ENDING)


async def turn_back(edge: AsgiExchange) -> None:
    """Answer a request that the worker has not sent before it ends."""
    if edge.started:
        edge.abort()
    body = failure_body(None, "internal_failure", "the gateway is shutting down; nothing was sent")
    await edge.respond(503, _LATER, body)


def _result(call: Call) -> bytes:
    """Return the event that ends a listen stream gracefully (revision 2026-07-28), or nothing for a GET stream."""
    request_id = call.inbound.request_id
    if request_id is None:
        return b""
    meta = {"io.modelcontextprotocol/subscriptionId": request_id}
    return sse.encode(sse.SseEvent(data=result_body(request_id, {"resultType": "complete", "_meta": meta})))
