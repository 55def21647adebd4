"""The constructors of the journal's records, from a question, its answer and what enforcement made of it.

Rule 1: whatever a client wrote goes through `masking` before it is in a record.
Rule 2: a policy that did not answer is recorded like one that did, with our own reason.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.decision import Decision, Obligation, PolicyFailure, Reason, Verdict
from gateway.admission.digests import canonical
from gateway.admission.masking import Masking, digest, masked
from gateway.admission.policy_input import Client, PolicyInput
from gateway.admission.principal import Principal
from gateway.admission.record import Arguments, Caller, Decided, Enforced, Occasion, Refused, rfc3339
from gateway.admission.secrecy import repeated, scrubbed, without_secrets

_WORDS: Final = 500
"""Longest text of a client's own that a record repeats."""


class About(Struct, frozen=True, kw_only=True):
    """What is known of a message that is refused without a decision."""

    server: str = ""
    method: str = ""
    detail: str = ""
    status: int = 0
    body: bytes = b""


def decided(
    question: PolicyInput,
    answer: Verdict | PolicyFailure,
    *,
    enforced: Enforced,
    occasion: Occasion,
    masking: Masking,
) -> Decided:
    """Return the record of a decision, before its effect; secrets are masked at every level."""
    shown = masked(question, masking)
    decision = answer.decision if isinstance(answer, Verdict) else None
    reasons = _worded(enforced.reasons or (decision.reasons if decision else _own(answer)), shown.secrets)
    grounds = tuple(decision.grounds) if decision else ()
    resolved = decision.resolved if decision else None
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
        grounds=grounds,
        rule=grounds[0].rule if grounds else "",
        warnings=_worded(decision.warnings, shown.secrets) if decision else (),
        shadow=_worded(decision.shadow, shown.secrets) if decision else (),
        obligations=_bound(decision.obligations, shown.secrets) if decision else (),
        observe=decision.observe if decision else False,
        revision=answer.revision,
        decision_id=answer.decision_id if isinstance(answer, Verdict) else "",
        policy_micros=answer.micros if isinstance(answer, Verdict) else 0,
        credential=_credential(decision),
        agent=resolved.agent if resolved else None,
        trust=resolved.server.trust if resolved and resolved.server else "",
        action=resolved.action if resolved else "unknown",
        action_source=resolved.action_source if resolved else "default",
        pin=resolved.pin if resolved else "unseen",
        method=question.message.method,
        message_kind=question.message.kind,
        protocol=question.message.revision,
        era=question.message.era,
        phase=question.phase,
        server=question.server.id,
        target=shown.target,
        definition=question.definition.sha256 if question.definition else "",
        principal=_caller(question.principal),
        client=_client(shown.client),
        source_ip=question.context.source_ip,
        arguments=_measures(question, masking.key),
        input=shown.input,
        masking=masking.level,
        replayable=shown.replayable,
    )


def refused(occasion: Occasion, *, code: str, source_ip: str, about: About, masking: Masking) -> Refused:
    """Return the record of a refusal without a decision; of its bytes only measure and keyed digest are kept."""
    return Refused(
        call_id=occasion.call_id,
        time=rfc3339(occasion.unix_ns),
        unix_ns=occasion.unix_ns,
        monotonic_ns=occasion.monotonic_ns,
        code=code,
        source_ip=source_ip,
        server=scrubbed(about.server[:_WORDS], ()),
        method=scrubbed(about.method[:_WORDS], ()),
        detail=scrubbed(about.detail[:_WORDS], ()),
        status=about.status,
        bytes=len(about.body),
        digest=digest(masking.key, about.body) if about.body else "",
    )


def _own(answer: Verdict | PolicyFailure) -> tuple[Reason, ...]:
    """Return the reason of an answer that is no decision."""
    if isinstance(answer, Verdict):
        return ()
    return (Reason(requirement=answer.requirement or answer.code, message=answer.detail, severity="high"),)


def _worded(reasons: Sequence[Reason], secrets: tuple[str, ...]) -> tuple[Reason, ...]:
    """Return reasons whose words, which policies make of arguments, repeat no secret."""
    return tuple(
        Reason(
            requirement=reason.requirement,
            message=scrubbed(reason.message, secrets),
            severity=reason.severity,
            remedy=scrubbed(reason.remedy, secrets),
        )
        for reason in reasons
    )


def _bound(obligations: Sequence[Obligation], secrets: tuple[str, ...]) -> tuple[Obligation, ...]:
    return tuple(
        replace(obligation, params=repeated(without_secrets(obligation.params, []), secrets))
        for obligation in obligations
    )


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


def _measures(question: PolicyInput, key: bytes) -> Arguments:
    meta = question.arguments_meta
    keyed = digest(key, canonical(question.arguments)) if question.arguments else ""
    return Arguments(bytes=meta.bytes, depth=meta.depth, schema=meta.schema, digest=keyed)
