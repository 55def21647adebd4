"""Conversion of an HTTP request to an `Inbound`: all checks of a message before policy is asked.

Rule 1: headers and credential are checked before the body is read. The first fault ends the conversion.
Rule 2: a rejected message contains its answer. None of it is forwarded, and all of it is recorded.
Rule 3: a session, event id or server's request id of another caller is treated as unknown, like a forged one.
"""

import re
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.action import Answer
from gateway.admission.correlation import Correlation, correlation_of
from gateway.admission.inbound_message import Inbound, Verb
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
_EXPRESSION: Final = re.compile(r"\{[^{}]*\}")  # of a URI template (RFC 6570); it represents a segment


class RejectedMessage(Struct, frozen=True, kw_only=True):
    """A message that cannot be put to policy: the code of its record, and its answer."""

    code: str
    detail: str
    answer: Answer
    method: str = ""


class RequestOrigin(Struct, frozen=True, kw_only=True):
    """The verified sender of a request, and its address."""

    verified: Verified
    source_ip: str
    shown: dict[str, str]


class RequestParser(Struct, frozen=True, kw_only=True):
    """A request with a verified caller and, if it has a body, the parsed message."""

    verb: Verb
    server: str
    headers: Headers
    caller: RequestOrigin
    message: Message | None = None
    request_id: RequestId = RequestId()


def unreadable(malformed: Malformed, names: Headers, wording: Wording) -> RejectedMessage:
    """Return the rejection of a message that cannot be read. `names` are its headers."""
    answer = malformed_answer(malformed, names, wording)
    code = f"malformed_{malformed.fault}"
    return RejectedMessage(code=code, detail=malformed.reason, answer=answer, method=malformed.method)


def place(
    arrival: RequestParser, ring: Ring, wording: Wording, sessionless: AbstractSet[str] = frozenset()
) -> Inbound | RejectedMessage:
    """Return the message with its place in the method table and its session, or its rejection."""
    presented = _session(arrival, ring)
    agreed = _agreed(arrival, presented)
    if isinstance(agreed, Malformed):
        return unreadable(agreed, arrival.headers, wording)
    session = presented if agreed.era == "legacy" else None
    if session is None and arrival.server not in sessionless and _names_session(arrival, agreed):
        return _gone(arrival, "unknown session; initialize again")
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
    """Return era and revision. A request without a message is legacy, with the revision that its header names."""
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
    """Return whether the message needs the session that its header names. The modern era ignores the header."""
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
        return RejectedMessage(
            code="method_unknown", detail="unknown request method", answer=answer, method=message.method
        )
    answer = Answer(status=202)
    return RejectedMessage(
        code="method_unknown", detail="unknown notification method", answer=answer, method=message.method
    )


def _response(
    arrival: RequestParser, ring: Ring, agreed: Agreed, session: SessionSeal | None
) -> Inbound | RejectedMessage:
    """Find the server's request that a client's response answers. Reject a response without such a request."""
    message = arrival.message
    seal = ring.open(RequestSeal, message.id) if isinstance(message, Response) and isinstance(message.id, str) else None
    if not isinstance(message, Response) or seal is None or seal.session != _binding(arrival, session):
        return RejectedMessage(
            code="response_unknown", detail="it does not answer a request of the server", answer=Answer(status=202)
        )
    row = lookup(seal.method, direction="server", revision=agreed.revision)
    if row is None:
        return RejectedMessage(
            code="response_unknown", detail="it does not answer a request of the server", answer=Answer(status=202)
        )
    original = restored(message, seal.upstream_id)
    inbound = _inbound(arrival, agreed, session, row, NOWHERE, resumes=None)
    return replace(inbound, message=original, answers=seal)


def _resumes(arrival: RequestParser, ring: Ring, session: SessionSeal | None) -> EventSeal | RejectedMessage | None:
    text = arrival.headers.get(_EVENT) if arrival.verb == "GET" else None
    if text is None:
        return None
    seal = ring.open(EventSeal, text)
    if seal is None or seal.session != _binding(arrival, session):
        return _gone(arrival, "the event does not belong to this session")
    return seal


def _binding(arrival: RequestParser, session: SessionSeal | None) -> bytes:
    return binding(server=arrival.server, principal_key=arrival.caller.verified.principal.key, session=session)


def _gone(arrival: RequestParser, why: str) -> RejectedMessage:
    answer = Answer(status=404, body=failure_body(_id(arrival), "session_unknown", why), headers=JSON)
    return RejectedMessage(code="session_unknown", detail=why, answer=answer, method=_method(arrival))


def _shapeless(arrival: RequestParser, row: Method) -> Malformed | None:
    """Return the fault of arguments or answers that are not an object, because policy cannot judge them."""
    params = arrival.message.params if isinstance(arrival.message, Request | Notification) else {}
    for key in ("arguments", "inputResponses"):
        value = params.get(key)
        if value is not None and as_object(value) is None:
            reason = f"params.{key} must be an object or absent"
            return _faulty(arrival, row, reason)
    return None


def _nameless(arrival: RequestParser, row: Method) -> Malformed:
    return _faulty(arrival, row, f"params.{row.field} must name the {row.target} of {row.name}")


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
    """Return the client's name for itself: from the session, from `initialize`, or from every modern request."""
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
