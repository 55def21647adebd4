"""The constructor of policy inputs: a call, a list item and a server's request are stated alike.

Rule 1: `arguments` are exactly those that would be forwarded.
Rule 2: the question of an item differs from that of its call in `phase`, `arguments` and `arguments_meta` only.
Rule 3: the time of a listing question is cut to the minute, so that equal lists ask equal questions.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from gateway.admission.argument_schema_check import measure
from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import (
    ArgumentsMeta,
    AskedMessage,
    Context,
    Definition,
    DefinitionStatus,
    Gateway,
    Item,
    Kind,
    Phase,
    PolicyInput,
    Retry,
    SchemaCheck,
    Server,
    Target,
    Time,
)
from gateway.admission.schema_check_findings import Findings
from gateway.admission.session_digest import session_digest
from gateway.admission.uris import is_template, with_normal_uri
from gateway.protocol.json_values import as_object
from gateway.protocol.message import Notification, Request

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _NS
_SECONDS: Final = 8


def moment(unix_ns: int) -> Time:
    """Return the wall time `unix_ns` (nanoseconds since 1970, UTC) as policies read it."""
    return replace(_second(unix_ns // _NS), unix_ns=unix_ns)


@lru_cache(maxsize=_SECONDS)
def _second(seconds: int) -> Time:
    """Return the time at the start of a second, cached: thousands of messages share one, and each needs it twice."""
    instant = datetime.fromtimestamp(seconds, UTC)
    return Time(
        unix_ns=seconds * _NS,
        rfc3339=instant.strftime("%Y-%m-%dT%H:%M:%SZ"),
        weekday=_WEEKDAYS[instant.weekday()],
        hour=instant.hour,
        minute=instant.minute,
        timezone="UTC",
    )


def cut(unix_ns: int) -> int:
    """Return `unix_ns` cut to the minute."""
    return unix_ns - unix_ns % _MINUTE_NS


def at(question: PolicyInput, unix_ns: int) -> PolicyInput:
    """Return the question with another time, because a stream is judged long after it was opened."""
    return replace(question, context=replace(question.context, time=moment(unix_ns)))


def ask(inbound: Inbound, *, phase: Phase, unix_ns: int, gateway: Gateway) -> PolicyInput:
    """Return the question about the client's own message, without definition and arguments."""
    return PolicyInput(
        phase=phase,
        message=_asked(inbound),
        principal=inbound.principal,
        client=inbound.client,
        server=Server(id=inbound.server),
        target=_normal(inbound),
        context=Context(
            time=moment(unix_ns),
            source_ip=inbound.source_ip,
            headers=inbound.shown,
            gateway=gateway,
            session=session_digest(inbound.session_text),
        ),
    )


def target(inbound: Inbound) -> Target:
    """Return the target of the client's message; a response has the target of the server's request that it answers."""
    if inbound.answers is not None:
        return Target(name=inbound.method.name)
    place = inbound.place
    return Target(type=place.type, name=place.name, uri=place.uri)


def _normal(inbound: Inbound) -> Target:
    """Return the target of the message, a resource in normal form; a completed template stays unchanged."""
    touched = target(inbound)
    return touched if touched.uri is not None and _is_completed(inbound) else with_normal_uri(touched)


def _is_completed(inbound: Inbound) -> bool:
    return inbound.method.target == "reference" and is_template(inbound.place.uri or "")


def arguments_of(inbound: Inbound) -> dict[str, Any]:
    """Return the part of the message that is judged as arguments: the values that the target or the server receives."""
    message = inbound.message
    if message is None:
        return {}
    if isinstance(message, Request | Notification):
        return content(inbound.method.name, message.params)
    return {"error": message.error} if message.error is not None else message.result or {}


def content(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments in the params of `method`: the `arguments` member, or all but the envelope's own."""
    if method in {"tools/call", "prompts/get"}:
        return as_object(params.get("arguments")) or {}
    return {key: value for key, value in params.items() if key not in _ENVELOPE}


_ENVELOPE: Final = frozenset({"_meta", "cursor", "inputResponses", "requestState", "uri", "name", "taskId"})


def measured(arguments: Mapping[str, Any], schema: SchemaCheck) -> ArgumentsMeta:
    """Return the measures of the arguments, with the verdict of the presented schema on them."""
    return measure(arguments, schema)


def judged(meta: ArgumentsMeta, found: Findings) -> ArgumentsMeta:
    """Return the measures with the verdict of the presented schema on the arguments."""
    return replace(
        meta,
        schema=found.schema,
        formats=found.formats,
        unchecked=list(found.unchecked),
        errors=list(found.errors),
    )


def item(
    inbound: Inbound,
    *,
    method: str,
    target: Target,
    definition: Definition | None,
    status: DefinitionStatus | UnsetType = UNSET,
) -> Item:
    """Return the question about a list item: the call that would use it, by the client that asked for the list."""
    message = AskedMessage(method=method, kind="request", revision=inbound.revision, era=inbound.era)
    shown = target if is_template(target.uri or "") else with_normal_uri(target)
    known = "seen" if definition is not None else status
    return Item(message=message, target=shown, definition=definition, definition_status=known)


def listing(question: PolicyInput, items: Sequence[Item]) -> PolicyInput:
    """Return the question about a chunk of list items, for the principal that asked for the list.

    The session is left out, so that equal lists of one caller ask equal questions in all sessions.
    """
    context = question.context
    return PolicyInput(
        phase="list",
        message=question.message,
        principal=question.principal,
        client=question.client,
        server=question.server,
        target=Target(),
        context=Context(
            time=moment(cut(context.time.unix_ns)),
            source_ip=context.source_ip,
            headers=context.headers,
            gateway=context.gateway,
        ),
        items=list(items),
    )


def server_request(question: PolicyInput, *, method: str, params: Mapping[str, Any]) -> PolicyInput:
    """Return the question about a server's request to the client, for the principal that it would reach."""
    message = question.message
    arguments = content(method, params)
    return PolicyInput(
        phase="server_request",
        message=AskedMessage(method=method, kind="request", revision=message.revision, era=message.era),
        principal=question.principal,
        client=question.client,
        server=question.server,
        target=Target(name=method),
        context=question.context,
        arguments=arguments,
        arguments_meta=measured(arguments, "none"),
    )


def _asked(inbound: Inbound) -> AskedMessage:
    return AskedMessage(
        method=inbound.method.name,
        kind=_kind(inbound),
        revision=inbound.revision,
        era=inbound.era,
        retry=_retry(inbound),
    )


def _kind(inbound: Inbound) -> Kind:
    if inbound.answers is not None:
        return "response"
    return "notification" if isinstance(inbound.message, Notification) else "request"


def _retry(inbound: Inbound) -> Retry:
    if not isinstance(inbound.message, Request) or not inbound.method.multi_round_trip:
        return Retry()
    answers = as_object(inbound.message.params.get("inputResponses")) or {}
    return Retry(has_state="requestState" in inbound.message.params, answers=sorted(answers))
