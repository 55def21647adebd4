"""The constructors of the journal's records, from a question, its answer and its enforcement.

Rule 1: all client text passes `masking` before it is in a record.
Rule 2: a missing answer of the policy is recorded like an answer, with the gateway's own reason.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, UnsetType, field
from msgspec.json import encode as json_encode
from msgspec.structs import replace

from gateway.admission.correlation import Correlation
from gateway.admission.decision import Decision, Obligation, PolicyFailure, Reason, Verdict
from gateway.admission.digests import canonical
from gateway.admission.policy_input import Client, PolicyInput
from gateway.admission.principal import Principal
from gateway.admission.record import Arguments, Caller, Decided, Enforced, Occasion, Refused, rfc3339
from gateway.admission.record_masking import Masking, digest, masked
from gateway.admission.redaction import repeated, scrubbed, without_secrets
from gateway.admission.secret_texts import Scrubber

_WORDS: Final = 500
"""Longest client text that a record repeats."""


class PartialMessage(Struct, frozen=True, kw_only=True):
    """The facts about a message that is refused without a decision."""

    server: str = ""
    method: str = ""
    detail: str = ""
    status: int = 0
    body: bytes = b""
    caller: Principal | None = None
    """The sender of the message, if its credential was valid."""
    correlation: Correlation = field(default_factory=Correlation)


def decided(
    question: PolicyInput,
    answer: Verdict | PolicyFailure,
    *,
    enforced: Enforced,
    occasion: Occasion,
    masking: Masking,
) -> Decided:
    """Return the record of a decision, before its effect; secrets are masked at every level."""
    word = answer.decision.record if isinstance(answer, Verdict) else None
    masking = masking.wanted(word)
    shown = masked(question, masking, answer.decision.reads if isinstance(answer, Verdict) else ())
    secrets = shown.secrets if masking.level != "none" else shown.secrets.and_also(_described(question))
    reasons = _worded(enforced.reasons or _reasons(answer), secrets)
    return Decided(
        call_id=occasion.call_id,
        time=rfc3339(occasion.unix_ns),
        unix_ns=occasion.unix_ns,
        monotonic_ns=occasion.monotonic_ns,
        micros=occasion.micros,
        outcome=enforced.outcome,
        code=enforced.code,
        reasons=reasons,
        requirement=reasons[0].requirement if reasons else "",
        target=shown.target,
        client=_client(shown.client),
        input=shown.input,
        masking=masking.level,
        replayable=shown.replayable,
        arguments=_measures(question, occasion.keyed, masking.key),
        correlation=occasion.correlation,
        sealed=_sealed(question, masking) if word == "full" else "",
        revision=answer.revision,
        **_asked(question),
        **(_answered(answer, secrets) if isinstance(answer, Verdict) else {}),
    )


def _sealed(question: PolicyInput, masking: Masking) -> str:
    """Return the arguments without secrets, for the auditor only; empty if there are none, or no auditor."""
    if masking.seal is None or not question.arguments:
        return ""
    found: list[str] = []
    bare = without_secrets(question.arguments, found)
    shown = repeated(bare, Scrubber(found)) if found else bare
    return b64encode(masking.seal(json_encode(shown))).decode()


def _asked(question: PolicyInput) -> dict[str, Any]:
    """Return the fields about the question."""
    return {
        "method": question.message.method,
        "message_kind": question.message.kind,
        "protocol": question.message.revision,
        "era": question.message.era,
        "phase": question.phase,
        "server": question.server.id,
        "definition": question.definition.sha256 if question.definition else "",
        "definition_status": _unseen(question),
        "principal": _caller(question.principal),
        "source_ip": question.context.source_ip,
        "session": question.context.session,
    }


def _unseen(question: PolicyInput) -> str:
    """Return the reason why the definition was not seen; empty if it was seen, or if the reason is not known."""
    status = question.definition_status
    return "" if isinstance(status, UnsetType) or status == "seen" else status


def _answered(verdict: Verdict, secrets: Scrubber) -> dict[str, Any]:
    """Return the fields about OPA's decision and its reasons."""
    decision = verdict.decision
    resolved = decision.resolved
    return {
        "grounds": tuple(decision.grounds),
        "rule": decision.grounds[0].rule if decision.grounds else "",
        "warnings": _worded(decision.warnings, secrets),
        "shadow": _worded(decision.shadow, secrets),
        "obligations": _bound(decision.obligations, secrets),
        "observe": decision.observe,
        "decision_id": verdict.decision_id,
        "emergency": verdict.emergency,
        "policy_micros": verdict.micros,
        "credential": _credential(decision),
        "agent": resolved.agent,
        "trust": resolved.server.trust if resolved.server else "",
        "action": resolved.action,
        "action_source": resolved.action_source,
        "pin": resolved.pin,
        "data": tuple(resolved.data or ()),
    }


def refused(occasion: Occasion, *, code: str, source_ip: str, about: PartialMessage, masking: Masking) -> Refused:
    """Return the record of a refusal without a decision; of its bytes only size and keyed digest are kept."""
    return Refused(
        call_id=occasion.call_id,
        time=rfc3339(occasion.unix_ns),
        unix_ns=occasion.unix_ns,
        monotonic_ns=occasion.monotonic_ns,
        code=code,
        source_ip=source_ip,
        server=scrubbed(about.server[:_WORDS]),
        method=scrubbed(about.method[:_WORDS]),
        detail=scrubbed(about.detail[:_WORDS]),
        status=about.status,
        bytes=len(about.body),
        digest=digest(masking.key, about.body) if about.body else "",
        principal=_caller(about.caller) if about.caller is not None else None,
        correlation=about.correlation,
    )


def _reasons(answer: Verdict | PolicyFailure) -> Sequence[Reason]:
    """Return the policy's reasons, or the gateway's own if the policy gave none."""
    if isinstance(answer, Verdict):
        return answer.decision.reasons
    return (Reason(requirement=answer.requirement or answer.code, message=answer.detail, severity="high"),)


def _worded(reasons: Sequence[Reason], secrets: Scrubber) -> tuple[Reason, ...]:
    """Return the reasons without secrets: policies may build their text from arguments."""
    if not reasons:
        return ()
    return tuple(
        Reason(
            requirement=reason.requirement,
            message=scrubbed(reason.message, secrets),
            severity=reason.severity,
            remedy=scrubbed(reason.remedy, secrets),
        )
        for reason in reasons
    )


def _bound(obligations: Sequence[Obligation], secrets: Scrubber) -> tuple[Obligation, ...]:
    if not obligations:
        return ()
    return tuple(
        replace(obligation, params=repeated(without_secrets(obligation.params, []), secrets))
        for obligation in obligations
    )


def _described(question: PolicyInput) -> tuple[str, ...]:
    """Return the texts that name members of the arguments, which the level `none` does not record."""
    return tuple(error.message for error in question.arguments_meta.errors)


def _credential(decision: Decision | None) -> str:
    route = decision.route if decision else None
    return route.credential.name if route and route.credential else ""


def _client(client: Client) -> Client:
    return Client(name=client.name[:_WORDS], version=client.version[:_WORDS])


def _caller(principal: Principal) -> Caller:
    return Caller(
        kind=principal.kind,
        method=principal.method,
        issuer=principal.issuer,
        subject=principal.subject,
        client_id=principal.client_id,
        groups=tuple(principal.groups),
        delegation=tuple(principal.delegation),
        credential_sha256=principal.credential_sha256,
    )


def _measures(question: PolicyInput, keyed: str, key: bytes) -> Arguments:
    meta = question.arguments_meta
    keyed = keyed or digest(key, canonical(question.arguments)) if question.arguments else ""
    return Arguments(
        bytes=meta.bytes, depth=meta.depth, schema=meta.schema, digest=keyed, unchecked=tuple(meta.unchecked)
    )
