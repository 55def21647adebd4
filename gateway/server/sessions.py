"""Session ids between client and upstream: sealed for the client, opened for the upstream (DESIGN section 7).

Rule 1: the gateway creates no sessions. It seals the upstream's.
Rule 2: a session id of another server or another principal is unknown, like a forged id: 404.
Rule 3: a server without sessions ignores the id, so an unknown id is left out for such a server.
Rule 4: a server may send another id with any answer, and official SDKs differ in whether they adopt it. It is sealed
for the same principal and server, so that no other caller can use it. The session keeps its agent and its revision.
"""

from typing import Final

from msgspec.structs import replace

from gateway.admission.decision import Verdict
from gateway.pipeline import Pipeline
from gateway.pipeline.call import Call
from gateway.pipeline.ports import Reply
from gateway.protocol.message import Response, read_reply
from gateway.protocol.revisions import era_of
from gateway.protocol.sealing import Ring, SessionSeal

SESSION: Final = "mcp-session-id"
_OWN: Final = frozenset({SESSION, "content-type", "content-length"})

Headers = tuple[tuple[str, str], ...]


def opened(ring: Ring, text: str, *, server: str, principal_key: str) -> SessionSeal | None:
    """Return the session that a client presents, or null if it is not this client's on this server."""
    seal = ring.open(SessionSeal, text)
    if seal is None or seal.server != server or seal.principal != principal_key:
        return None
    return seal


def learn(sessionless: set[str], call: Call, reply: Reply) -> None:
    """Remember whether a server has sessions, once it has answered a legacy request without a session."""
    inbound = call.inbound
    if inbound.era != "legacy" or inbound.session is not None:
        return
    if _session_id(reply) is not None:
        sessionless.discard(inbound.server)
    else:
        sessionless.add(inbound.server)


def carried_headers(reply: Reply) -> Headers:
    """Return the reply's headers for the client. None of them names a session."""
    return tuple([(name, value) for name, value in reply.headers if name not in _OWN])


def answered_headers(pipeline: Pipeline, call: Call, reply: Reply, body: bytes) -> Headers:
    """Return the headers of an answer, with the session id in the form that the client knows."""
    headers = carried_headers(reply)
    upstream_id = None if call.inbound.era == "modern" else _session_id(reply)
    if upstream_id is None:
        return headers
    session = call.inbound.session
    if session is not None and session.upstream_id == upstream_id:
        return (*headers, (SESSION, call.inbound.session_text))
    given = _begun(call, upstream_id, body) if session is None else replace(session, upstream_id=upstream_id)
    if given is None:
        return headers
    parts = pipeline.engine.parts
    return (*headers, (SESSION, parts.ring.close(given, parts.ids.nonce())))


def _session_id(reply: Reply) -> str | None:
    for name, value in reply.headers:
        if name == SESSION:
            return value
    return None


def _begun(call: Call, upstream_id: str, body: bytes) -> SessionSeal | None:
    """Return the session that begins with an answer. A refused `initialize` begins none."""
    if not isinstance(call.answer, Verdict):
        return None
    revision = call.inbound.revision
    if call.inbound.method.name == "initialize":
        message = read_reply(body)
        result = message.result if isinstance(message, Response) else None
        if result is None:
            return None
        named = result.get("protocolVersion")
        revision = named if isinstance(named, str) and era_of(named) == "legacy" else revision
    agent = call.answer.decision.resolved.agent
    return SessionSeal(
        upstream_id=upstream_id,
        server=call.inbound.server,
        principal=call.inbound.principal.key,
        agent=agent.id if agent else "",
        revision=revision,
        client=call.inbound.client.name,
    )
