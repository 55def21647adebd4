"""Ids that join a record to other systems: the request's id, and the trace and conversation that the client names.

Rule 1: trace and conversation are unverified. They appear only in the record, which marks them so: no decision, log
line or file name is made from them.
Rule 2: an id that is malformed, too long, ambiguous or looks like a secret is left out, never repaired.
Rule 3: headers take precedence over `_meta`. `traceparent` (W3C Trace Context) and `baggage` (W3C Baggage) mean the
same in both (SEP-414).
"""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeGuard
from urllib.parse import unquote

from msgspec import Struct

from gateway.admission.redaction import scrubbed
from gateway.protocol.headers import Headers, trace_id_of
from gateway.protocol.json_values import as_object

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CONVERSATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+=~-]{0,127}")
_META: Final = ("openai/session", "vscode.conversationId", "sessionID")
"""Members of `_meta` by which clients name the conversation: ChatGPT, VS Code, OpenCode."""
_BAGGAGE: Final = ("gen_ai.conversation.id", "session.id")
"""Keys of `baggage` that name the conversation, as in the semantic conventions of OpenTelemetry."""
_SENT: Final = frozenset({"traceparent", "baggage"})
_BAGGAGE_BYTES: Final = 8192
_BAGGAGE_MEMBERS: Final = 64


class Correlation(Struct, frozen=True, kw_only=True):
    """Ids of other systems; empty if there is none. `unverified` names those that the client only claims."""

    request_id: str = ""
    trace_id: str = ""
    conversation: str = ""
    unverified: tuple[str, ...] = ()


def unread(request_id: str, *, given: bool) -> Correlation:
    """Return the ids of a message that was not read; `given` is true if the client chose the request id."""
    return Correlation(request_id=request_id, unverified=("request_id",) if given else ())


def is_request_id(text: str) -> bool:
    """Return whether a client's `x-request-id` is valid: up to 64 letters, digits, `.`, `_` and `-`."""
    return _REQUEST_ID.fullmatch(text) is not None and scrubbed(text) == text


def correlation_of(headers: Headers, params: Mapping[str, Any], request_id: str, *, given: bool) -> Correlation:
    """Return the ids of a message; `given` is true if the client chose the request id."""
    meta, sent = as_object(params.get("_meta")) or {}, headers.values
    if not meta and sent.keys().isdisjoint(_SENT):
        return unread(request_id, given=given)
    trace_id = trace_id_of(sent.get("traceparent")) or trace_id_of(meta.get("traceparent"))
    conversation = _conversation(sent.get("baggage"), meta)
    if not (given or trace_id or conversation):
        return Correlation(request_id=request_id)
    said = (("request_id", given), ("trace_id", trace_id), ("conversation", conversation))
    return Correlation(
        request_id=request_id,
        trace_id=trace_id,
        conversation=conversation,
        unverified=tuple(name for name, there in said if there),
    )


def _conversation(baggage: str | None, meta: Mapping[str, Any]) -> str:
    """Return the first usable conversation id; empty if there is none."""
    candidates: list[object] = [*_named(baggage), *(meta.get(key) for key in _META), *_named(meta.get("baggage"))]
    return next((text for text in candidates if _is_conversation(text)), "")


def _is_conversation(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and _CONVERSATION.fullmatch(text) is not None and scrubbed(text) == text


def _named(baggage: object) -> list[str]:
    """Return the conversation ids of a baggage header; none if it is too large or names one of them twice."""
    if not isinstance(baggage, str) or len(baggage) > _BAGGAGE_BYTES or baggage.count(",") >= _BAGGAGE_MEMBERS:
        return []
    found: dict[str, list[str]] = {}
    for member in baggage.split(","):
        key, equals, value = member.partition(";")[0].partition("=")
        if equals and key.strip() in _BAGGAGE:
            found.setdefault(key.strip(), []).append(unquote(value.strip(), errors="replace"))
    return [found[key][0] for key in _BAGGAGE if len(found.get(key, ())) == 1]
