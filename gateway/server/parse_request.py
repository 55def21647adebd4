"""From an HTTP request to an `Inbound`: everything about a message that the gateway verifies before it asks.

Rule 1: headers and credential come before the body is believed; the first fault ends the arrival.
Rule 2: what is turned away carries its answer; nothing of it is forwarded, all of it is recorded.
Rule 3: a session, an event id or a server's request id that is not this caller's is as unknown as a forged one.
"""

import re
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.action import Answer
from gateway.admission.correlation import Correlation, correlation_of
from gateway.admission.inbound import Inbound, Verb
from gateway.admission.policy_input import Client
from gateway.admission.principal import Verified
from gateway.admission.refusal import JSON, Wording, malformed_answer
from gateway.admission.uris import abnormality
from gateway.listening.request_id import RequestId
from gateway.pipeline.sealed_ids import binding, restored
from gateway.protocol.errors import INVALID_PARAMS, failure_body, malformed_body, unknown_method
from gateway.protocol.headers import Agreed, Headers, agree, agree_stream, forwardable
from gateway.protocol.json_values import as_object
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Message, Notification, Request, Response
from gateway.protocol.methods import NOWHERE, SESSION_CLOSE, STREAM_OPEN, Method, TargetPlace, lookup, row_of, target_of
from gateway.protocol.sealing import EventSeal, RequestSeal, Ring, SessionSeal
from gateway.server.sessions import SESSION, opened

_EVENT: Final = "last-event-id"
_CLIENT: Final = "io.modelcontextprotocol/clientInfo"
_NAME_CHARS: Final = 200
_UNNAMED: Final = Client()
_EXPRESSION: Final = re.compile(r"\{[^{}]*\}")  # of a URI template (RFC 6570), which stands for a segment


class RejectedMessage(Struct, frozen=True, kw_only=True):
    """A message that cannot be asked about: the code of its record, and its answer."""

    code: str
    detail: str
    answer: Answer
    method: str = ""


class RequestOrigin(Struct, frozen=True, kw_only=True):
    """Who sent it, and from where."""

    verified: Verified
    source_ip: str
    shown: dict[str, str]


class RequestParser(Struct, frozen=True, kw_only=True):
    """A request whose caller is verified and whose body, if it has one, is read."""

    verb: Verb
    server: str
    headers: Headers
    caller: RequestOrigin
    message: Message | None = None
    request_id: RequestId = RequestId()


def unreadable(malformed: Malformed, names: Headers, wording: Wording) -> RejectedMessage:
    """Return how a message that cannot be read is turned away; `names` are the headers that came with it."""
    answer = malformed_answer(malformed, names, wording)
    code = f"malformed_{malformed.fault}"
    return RejectedMessage(code=code, detail=malformed.reason, answer=answer, method=malformed.method)


def place(
    arrival: RequestParser, ring: Ring, wording: Wording, sessionless: AbstractSet[str] = frozenset()
) -> Inbound | RejectedMessage:
    """Return the message with its place in the method table and its session, or why it is turned away."""
    presented = _session(arrival, ring)
    agreed = _agreed(arrival, presented)
    if isinstance(agreed, Malformed):
        return unreadable(agreed, arrival.headers, wording)
    session = presented if agreed.era == "legacy" else None
    if session is None and arrival.server not in sessionless and _names_session(arrival, agreed):
        return _gone(arrival, "the session is not known; initialize again")
    if isinstance(arrival.message, Response):
        return _response(arrival, ring, agreed, session)
    row = _row(arrival, agreed)
    if isinstance(row, RejectedMessage):
        return row
    where = target_of(row, arrival.message.params) if arrival.message is not None else NOWHERE
    if where is None:
        return unreadable(_nameless(arrival, row), arrival.headers, wording)
    shapeless = _shapeless(arrival, row)
    if shapeless is not None:
        return unreadable(shapeless, arrival.headers, wording)
    abnormal = (
        abnormality(_EXPRESSION.sub("x", where.uri) if row.target == "reference" else where.uri) if where.uri else None
    )
    if abnormal is not None:
        return _abnormal(arrival, row, abnormal.reason)
    resumes = _resumes(arrival, ring, session)
    if isinstance(resumes, RejectedMessage):
        return resumes
    return _inbound(arrival, agreed, session, row, where, resumes=resumes)


def _agreed(arrival: RequestParser, session: SessionSeal | None) -> Agreed | Malformed:
    """Return era and revision; what carries no message is legacy by its verb, in the revision that its header names."""
    negotiated = session.revision if session else None
    if arrival.message is not None:
        return agree(arrival.headers, arrival.message, negotiated=negotiated)
    return agree_stream(arrival.headers, negotiated=negotiated)


def _session(arrival: RequestParser, ring: Ring) -> SessionSeal | None:
    text = arrival.headers.get(SESSION)
    if text is None or _initializes(arrival):
        return None
    return opened(ring, text, server=arrival.server, principal_key=arrival.caller.verified.principal.key)


def _names_session(arrival: RequestParser, agreed: Agreed) -> bool:
    """Return whether the message needs the session that its header names: the modern era ignores the header."""
    return agreed.era == "legacy" and arrival.headers.get(SESSION) is not None and not _initializes(arrival)


def _initializes(arrival: RequestParser) -> bool:
    return isinstance(arrival.message, Request) and arrival.message.method == "initialize"


def _row(arrival: RequestParser, agreed: Agreed) -> Method | RejectedMessage:
    message = arrival.message
    if message is None or isinstance(message, Response):
        return STREAM_OPEN if arrival.verb == "GET" else SESSION_CLOSE
    row = row_of(message, direction="client", revision=agreed.revision)
    if row is not None:
        return row
    if isinstance(message, Request):
        status, body = unknown_method(message.id, message.method, era=agreed.era)
        answer = Answer(status=status, body=body, headers=JSON)
        return RejectedMessage(code="method_unknown", detail="no such request", answer=answer, method=message.method)
    answer = Answer(status=202)
    return RejectedMessage(code="method_unknown", detail="no such notification", answer=answer, method=message.method)


def _response(
    arrival: RequestParser, ring: Ring, agreed: Agreed, session: SessionSeal | None
) -> Inbound | RejectedMessage:
    """Find which request of the server a client's response answers; one that answers none is dropped."""
    message = arrival.message
    seal = ring.open(RequestSeal, message.id) if isinstance(message, Response) and isinstance(message.id, str) else None
    if not isinstance(message, Response) or seal is None or seal.session != _binding(arrival, session):
        return RejectedMessage(code="response_unknown", detail="it answers no request", answer=Answer(status=202))
    row = lookup(seal.method, direction="server", revision=agreed.revision)
    if row is None:
        return RejectedMessage(code="response_unknown", detail="it answers no request", answer=Answer(status=202))
    original = restored(message, seal.upstream_id)
    inbound = _inbound(arrival, agreed, session, row, NOWHERE, resumes=None)
    return replace(inbound, message=original, answers=seal)


def _resumes(arrival: RequestParser, ring: Ring, session: SessionSeal | None) -> EventSeal | RejectedMessage | None:
    text = arrival.headers.get(_EVENT) if arrival.verb == "GET" else None
    if text is None:
        return None
    seal = ring.open(EventSeal, text)
    if seal is None or seal.session != _binding(arrival, session):
        return _gone(arrival, "the event is not one of this session")
    return seal


def _binding(arrival: RequestParser, session: SessionSeal | None) -> bytes:
    return binding(server=arrival.server, principal_key=arrival.caller.verified.principal.key, session=session)


def _gone(arrival: RequestParser, why: str) -> RejectedMessage:
    answer = Answer(status=404, body=failure_body(_id(arrival), "session_unknown", why), headers=JSON)
    return RejectedMessage(code="session_unknown", detail=why, answer=answer, method=_method(arrival))


def _shapeless(arrival: RequestParser, row: Method) -> Malformed | None:
    """What is not an object cannot be judged as arguments or answers, so it is not forwarded either."""
    params = arrival.message.params if isinstance(arrival.message, Request | Notification) else {}
    for key in ("arguments", "inputResponses"):
        value = params.get(key)
        if value is not None and as_object(value) is None:
            reason = f"params.{key} must be an object, or be left out"
            return _faulty(arrival, row, reason)
    return None


def _nameless(arrival: RequestParser, row: Method) -> Malformed:
    return _faulty(arrival, row, f"params.{row.field} must name the {row.target} that {row.name} is about")


def _faulty(arrival: RequestParser, row: Method, reason: str) -> Malformed:
    return Malformed(fault="shape", code=INVALID_PARAMS, reason=reason, id=_id(arrival), method=row.name)


def _abnormal(arrival: RequestParser, row: Method, why: str) -> RejectedMessage:
    reason = f"the URI {why}; write it in normal form"
    malformed = Malformed(fault="shape", code=INVALID_PARAMS, reason=reason, id=_id(arrival))
    answer = Answer(status=200, body=malformed_body(malformed), headers=JSON)
    return RejectedMessage(code="uri_not_normal", detail=reason, answer=answer, method=row.name)


def _inbound(  # noqa: PLR0913 - the parts of one value
    arrival: RequestParser,
    agreed: Agreed,
    session: SessionSeal | None,
    row: Method,
    where: TargetPlace,
    *,
    resumes: EventSeal | None,
) -> Inbound:
    headers = forwardable(arrival.headers, agreed.era)
    if session is not None:
        headers = (*headers, (SESSION, session.upstream_id))
    if resumes is not None:
        headers = (*headers, (_EVENT, resumes.upstream_id))
    return Inbound(
        verb=arrival.verb,
        server=arrival.server,
        message=arrival.message,
        method=row,
        place=where,
        era=agreed.era,
        revision=agreed.revision,
        principal=arrival.caller.verified.principal,
        until=arrival.caller.verified.until,
        client=_client(arrival, session),
        source_ip=arrival.caller.source_ip,
        headers=headers,
        shown=arrival.caller.shown,
        names=arrival.headers,
        session=session,
        session_text=arrival.headers.get(SESSION) or "" if session else "",
        resumes=resumes,
        correlation=_correlation(arrival),
    )


def _correlation(arrival: RequestParser) -> Correlation:
    message, request_id = arrival.message, arrival.request_id
    params = message.params if isinstance(message, Request | Notification) else {}
    return correlation_of(arrival.headers, params, request_id.text, given=request_id.given)


def _client(arrival: RequestParser, session: SessionSeal | None) -> Client:
    """Return what the client calls itself: in the session, in `initialize`, or in every modern request."""
    message = arrival.message
    if session is not None or not isinstance(message, Request | Notification):
        return Client(name=session.client if session else "")
    meta = as_object(message.params.get("_meta")) or {}
    info = as_object(message.params.get("clientInfo")) or as_object(meta.get(_CLIENT))
    if not info:
        return _UNNAMED
    return Client(name=_short(info.get("name")), version=_short(info.get("version")))


def _short(text: object) -> str:
    return text[:_NAME_CHARS] if isinstance(text, str) else ""


def _id(arrival: RequestParser) -> str | int | None:
    return arrival.message.id if isinstance(arrival.message, Request) else None


def _method(arrival: RequestParser) -> str:
    return arrival.message.method if isinstance(arrival.message, Request | Notification) else arrival.verb
