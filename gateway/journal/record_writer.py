"""Convert records to the lines of the journal (`record_lines`).

Rule 1: no information is lost: it is in the line, in the descriptions before it (`descriptions`) or in the bundle of
its revision.
Rule 2: digests are shortened if an attacker cannot use a collision: to 128 bits for a keyed digest, and to 64 bits for
a key of the descriptions, because two descriptions with the same key count as unknown (`record_expander`).
"""

from collections.abc import Mapping
from sys import intern
from typing import Any, Final

from msgspec import UnsetType
from msgspec.json import Encoder

from gateway.admission.decision import Ground
from gateway.admission.policy_input import PolicyInput, Retry, Target, TargetType
from gateway.admission.record import (
    Caller,
    Completed,
    Counted,
    Decided,
    Policy,
    Refused,
    Voided,
    rfc3339,
    rfc3339_ns,
)
from gateway.journal.record_lines import (
    AgentLine,
    ArgumentsLine,
    CompletedLine,
    CountedLine,
    DecidedLine,
    GroundLine,
    PolicyLine,
    PrincipalLine,
    RecordLine,
    RefusedLine,
    ResultLine,
    TargetLine,
    VoidedLine,
)

DEFINITION_DIGITS: Final = 16
USUAL: Final[Mapping[str, TargetType]] = {"tools/call": "tool", "prompts/get": "prompt", "resources/read": "resource"}
"""The usual target type of each method; other methods usually have no target."""
UNSTATED: Final = "unstated"
"""The `definition_status` of a question without that field."""
_DIGITS: Final = 32
_KEYED: Final = "hmac-sha256:"
_NO_RETRY: Final = Retry()
_ENCODER: Final = Encoder()
"""An encoder that omits defaults, compared by identity: texts from OPA or a settings file are interned first."""


def encoded(line: RecordLine) -> bytes:
    """Return a line as JSON without its position in the journal; raise ValueError if JSON cannot represent it."""
    return _ENCODER.encode(line)


def compacted(record: Completed | Counted | Refused | Policy | Voided) -> RecordLine:
    """Return the line of a record that does not need a description."""
    match record:
        case Completed():
            return _completed(record)
        case Counted():
            return CountedLine(
                time=rfc3339(record.unix_ns),
                since=rfc3339(record.since_ns),
                server=record.server,
                method=record.method,
                count=record.count,
                direction=record.direction,
            )
        case Refused():
            return _refused(record)
        case Policy():
            return PolicyLine(
                time=rfc3339(record.unix_ns),
                event=record.event,
                code=record.code,
                revision=record.revision,
                detail=record.detail,
            )
        case Voided():
            return VoidedLine(
                time=rfc3339(record.unix_ns),
                first=record.first,
                last=record.last,
                detail=record.detail,
                lost=record.lost,
            )


def compacted_decision(record: Decided, sender: str) -> DecidedLine:
    """Return the line of a decision; `sender` is the key of the description with the rest."""
    asked = record.input
    said = record.correlation
    return DecidedLine(
        call_id=record.call_id,
        time=rfc3339_ns(asked.context.time.unix_ns if asked is not None else record.unix_ns),
        method=record.method,
        server=record.server,
        principal=_principal(record.principal),
        source_ip=record.source_ip,
        request_id=said.request_id,
        trace_id=said.trace_id,
        conversation=said.conversation,
        unverified=said.unverified,
        target=_target(record.method, record.target),
        phase=record.phase,
        message_kind=record.message_kind,
        micros=record.micros,
        masking="masked" if record.masking == "masked" else record.masking,
        replayable=record.replayable,
        arguments=_arguments(record, asked),
        sender=sender,
        definition=record.definition[:DEFINITION_DIGITS],
        definition_status=_status(record, asked),
        retry=asked.message.retry if asked is not None and asked.message.retry != _NO_RETRY else None,
        items=tuple(asked.items) if asked is not None else (),
        **_decision(record),
    )


def _decision(record: Decided) -> dict[str, Any]:
    """Return the fields with the decision and its reasons."""
    return {
        "outcome": record.outcome,
        "agent": AgentLine(id=record.agent.id) if record.agent is not None else None,
        "action": record.action,
        "action_source": intern(record.action_source),
        "pin": intern(record.pin),
        "code": record.code,
        "reasons": record.reasons,
        "grounds": tuple(map(_ground, record.grounds)),
        "warnings": record.warnings,
        "shadow": record.shadow,
        "obligations": record.obligations,
        "observe": record.observe,
        "decision_id": "" if record.decision_id == record.call_id else record.decision_id,
        "revision": record.revision,
        "policy_micros": record.policy_micros,
        "data": record.data,
    }


def _status(record: Decided, asked: PolicyInput | None) -> str:
    """Return the status of the definition, or an empty text if it follows from the presence of the definition."""
    if asked is None:
        return record.definition_status
    said = UNSTATED if isinstance(asked.definition_status, UnsetType) else asked.definition_status
    return "" if said == ("seen" if asked.definition is not None else UNSTATED) else said


def _arguments(record: Decided, asked: PolicyInput | None) -> ArgumentsLine:
    measures = record.arguments
    meta = asked.arguments_meta if asked is not None else None
    return ArgumentsLine(
        bytes=measures.bytes,
        depth=measures.depth,
        schema=measures.schema,
        formats=meta.formats if meta is not None else "none",
        digest=_cut(measures.digest),
        unchecked=measures.unchecked,
        errors=tuple(meta.errors) if meta is not None else (),
        values=asked.arguments if asked is not None else None,
        sha256=meta.digest if meta is not None else "",
        sealed=record.sealed,
    )


def _completed(record: Completed) -> CompletedLine:
    result = record.result
    return CompletedLine(
        call_id=record.call_id,
        time=rfc3339(record.unix_ns),
        outcome=record.outcome,
        request_id=record.request_id,
        status=record.status,
        bytes=record.bytes,
        events=record.events,
        micros=record.micros,
        upstream_micros=record.upstream_micros,
        hidden=record.hidden,
        unread=record.unread,
        withheld=record.withheld,
        detail=record.detail,
        removed_instructions=record.removed_instructions,
        result=ResultLine(digest=_cut(result.digest), type=result.type, items=result.items) if result else None,
    )


def _refused(record: Refused) -> RefusedLine:
    return RefusedLine(
        call_id=record.call_id,
        time=rfc3339(record.unix_ns),
        code=record.code,
        source_ip=record.source_ip,
        request_id=record.correlation.request_id,
        unverified=record.correlation.unverified,
        server=record.server,
        method=record.method,
        detail=record.detail,
        status=record.status,
        bytes=record.bytes,
        digest=_cut(record.digest),
        principal=record.principal,
        count=record.count,
    )


def _principal(caller: Caller) -> PrincipalLine:
    named = caller.client_id if caller.subject is None else None
    return PrincipalLine(kind=caller.kind, subject=caller.subject, client_id=named)


def _target(method: str, target: Target) -> TargetLine:
    usual = target.type == USUAL.get(method, "none")
    return TargetLine(type="" if usual else target.type, name=target.name, uri=target.uri, written=target.written)


def _ground(ground: Ground) -> GroundLine:
    return GroundLine(rule=ground.rule, owner=ground.owner, effect=intern(ground.effect))


def _cut(keyed: str) -> str:
    return keyed.removeprefix(_KEYED)[:_DIGITS]
