"""Session ids between client and upstream: sealed on the way out, opened on the way in (DESIGN section 7).

Rule 1: the gateway mints no session; it seals the upstream's.
Rule 2: another server's, another principal's and a forged id are all unknown: 404.
"""

from typing import Final

from gateway.admission.decision import Verdict
from gateway.pipeline import Pipeline
from gateway.pipeline.call import Call
from gateway.pipeline.ports import Reply
from gateway.protocol.message import Response, read_reply
from gateway.protocol.sealing import Ring, SessionSeal

SESSION: Final = "mcp-session-id"
_OWN: Final = frozenset({SESSION, "content-type", "content-length"})

Headers = tuple[tuple[str, str], ...]


def opened(ring: Ring, text: str, *, server: str, principal_key: str) -> SessionSeal | None:
    """Return the session that a client presents, or null when it is not this client's on this server."""
    seal = ring.open(SessionSeal, text)
    if seal is None or seal.server != server or seal.principal != principal_key:
        return None
    return seal


def carried_headers(reply: Reply) -> Headers:
    """Return the reply's headers that travel to the client; none of them names a session."""
    return tuple((name, value) for name, value in reply.headers if name not in _OWN)


def answered_headers(pipeline: Pipeline, call: Call, reply: Reply, body: bytes) -> Headers:
    """Return the headers of an answer, with the session id in the form that the client knows."""
    headers = carried_headers(reply)
    upstream_id = next((value for name, value in reply.headers if name == SESSION), None)
    if upstream_id is None or call.inbound.era == "modern":
        return headers
    if call.inbound.session_text:
        return (*headers, (SESSION, call.inbound.session_text))
    if call.inbound.method.name != "initialize" or not isinstance(call.answer, Verdict):
        return headers
    parts = pipeline.engine.parts
    seal = _seal(call, call.answer, upstream_id, body)
    return (*headers, (SESSION, parts.ring.close(seal, parts.ids.nonce())))


def _seal(call: Call, answer: Verdict, upstream_id: str, body: bytes) -> SessionSeal:
    agent = answer.decision.resolved.agent
    return SessionSeal(
        upstream_id=upstream_id,
        server=call.inbound.server,
        principal=call.inbound.principal.key,
        agent=agent.id if agent else "",
        revision=_negotiated(body) or call.inbound.revision,
        client=call.inbound.client.name,
    )


def _negotiated(body: bytes) -> str | None:
    """Return the revision that the server's `initialize` result names."""
    message = read_reply(body)
    result = message.result if isinstance(message, Response) else None
    revision = result.get("protocolVersion") if result else None
    return revision if isinstance(revision, str) else None
