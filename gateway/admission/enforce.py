"""Enforcement: the only way from a decision to an `Admit`.

Rule 1: only outcome `allow` with grounds, a route and no obligation admits; the last arm refuses.
Rule 2: only OPA can declare a refusal as observed or shadowed; this module loosens nothing.
Rule 3: the gateway, scenarios, `ask`, `explain` and `replay` all enforce a decision by `enforce`, and by nothing else.
"""

from collections.abc import Mapping
from typing import Final, assert_never

from gateway.admission.action import Admit, Outbound
from gateway.admission.decision import Decision, PolicyFailure, Reason, Verdict
from gateway.admission.policy_input import Target
from gateway.admission.record import Enforced
from gateway.admission.refusal import Refusal, own
from gateway.admission.refusal_contacts import owners
from gateway.admission.uris import Abnormal, is_template, normalize
from gateway.protocol.errors import FailureName


def enforce(answer: Verdict | PolicyFailure, outbound: Outbound, target: Target, listed: str = "") -> Admit | Refusal:
    """Return the admitted message, or the reason for its refusal.

    `listed` is the URI that the server lists for the target; empty if it lists none.
    """
    if isinstance(answer, PolicyFailure):
        return undecided(answer)
    decision = answer.decision
    match decision.outcome:
        case "allow":
            outcome = _allowed(answer, outbound)
            return _confirmed(answer, outcome, target, listed) if isinstance(outcome, Admit) else outcome
        case "hold":
            return _refusal(answer, "approval_required", _waiting(decision))
        case "deny":
            return _refusal(answer, "policy_denied", tuple(decision.reasons))
        case _:
            assert_never(decision.outcome)


def enforced(answer: Verdict | PolicyFailure, outcome: Admit | Refusal) -> Enforced:
    """Return the enforcement of an answer, in the terms of a record."""
    if isinstance(outcome, Admit):
        return Enforced(outcome="allow")
    held = isinstance(answer, Verdict) and answer.decision.outcome == "hold"
    return Enforced(outcome="hold" if held else "deny", code=outcome.code, reasons=outcome.reasons)


def ruling(answer: Verdict | PolicyFailure, target: Target) -> Enforced:
    """Return the enforcement of an answer, assuming that the server lists the target as it is written."""
    return enforced(answer, enforce(answer, _NOWHERE, target, target.written or target.uri or ""))


def _confirmed(answer: Verdict, admit: Admit, target: Target, listed: str) -> Admit | Refusal:
    """Return the admission of a target as it was written.

    A policy that does not match normal forms admits no other spelling. A text that readers may understand differently
    is only admitted exactly as the server lists it.
    """
    written = target.written or target.uri
    if not written or (target.written is None and is_template(written)):
        return admit
    found = normalize(written)
    if isinstance(found, Abnormal):
        return _unconfirmed(answer, found.reason)
    if target.written is not None and not admit.route.normal_uris:
        return _unconfirmed(answer, f"is not in the normal form that the policy in force matches: write `{target.uri}`")
    if found.doubt and listed != written:
        return _unconfirmed(answer, f"{found.doubt}, and the server does not list it in this spelling")
    return admit


def _unconfirmed(answer: Verdict, why: str) -> Refusal:
    reason = Reason(requirement="uri_not_normal", message=f"the URI {why}", severity="high", remedy=_SPELLING)
    return _refusal(answer, "policy_denied", (reason,))


def _allowed(answer: Verdict, outbound: Outbound) -> Admit | Refusal:
    decision = answer.decision
    if decision.obligations:
        what = ", ".join(obligation.type for obligation in decision.obligations)
        return _refusal(
            answer, "obligation_unsupported", (_reason("obligation_unsupported", f"not supported here: {what}"),)
        )
    lacking = _lacking(decision)
    if lacking or decision.route is None:
        why = f"the policy allows this, but {lacking or 'names no address of the server'}"
        return _refusal(answer, "policy_denied", (_reason("policy_denied", why),))
    return Admit(route=decision.route, outbound=outbound)


def _lacking(decision: Decision) -> str:
    """Return the defect of an allow; empty if only the route may be missing."""
    if not decision.grounds:
        return "names no rule as its grounds"
    if odd := next((ground for ground in decision.grounds if ground.effect != "allow"), None):
        return f"names rule {odd.rule} as its grounds, whose effect is {odd.effect}"
    return "also gives reasons to refuse it" if decision.reasons else ""


def _waiting(decision: Decision) -> tuple[Reason, ...]:
    """Refuse a held message with the note that a person must approve it: approvals are not implemented yet."""
    reasons = tuple(decision.reasons)
    return reasons or (_reason("approval_required", "a person has to approve this; approvals are not available here"),)


def undecided(failure: PolicyFailure) -> Refusal:
    """Return the refusal of a message that policy did not decide."""
    words = {
        "policy_unavailable": "the policy cannot be evaluated at the moment",
        "too_many_questions": "too many messages of this caller are waiting for a policy decision",
        "overloaded": "messages of too many callers are waiting for a policy decision",
        "policy_error": "policy evaluation failed for this message" + _named(failure.requirement),
        "policy_regressed": "the policy in force is older than one that was enforced before",
        "policy_expired": "the policy in force has expired, and no newer one has arrived",
        "policy_stale": "the policy in force has not been confirmed as current for too long",
        "bundle_unreadable": "the policy in force does not state what it was made for",
        "bundle_of_other_environment": "the policy in force was made for another environment",
        "bundle_input_unknown": "the policy in force expects another form of policy input",
        "bundle_needs_newer_gateway": "the policy in force needs a newer gateway",
    }
    return Refusal(
        code=failure.code,
        reasons=own(failure.code, words[failure.code], _REMEDIES.get(failure.code, _ASK)).reasons,
        revision=failure.revision,
    )


def _named(requirement: str) -> str:
    return f" (in requirement {requirement})" if requirement else ""


def _refusal(answer: Verdict, code: FailureName, reasons: tuple[Reason, ...]) -> Refusal:
    return Refusal(
        code=code,
        reasons=reasons,
        decision_id=answer.decision_id,
        revision=answer.revision,
        owners=owners(answer.decision),
    )


def _reason(requirement: str, message: str) -> Reason:
    return Reason(requirement=requirement, message=message, severity="high", remedy=_ASK)


_NOWHERE: Final = Outbound(verb="POST", server="", headers=())
"""Placeholder action: only the verdict is needed, and nothing is sent."""
_SPELLING: Final = "Write the URI as the server lists it, or in normal form (RFC 3986)."
_ASK: Final = "Contact the owner of the policy."
_REMEDIES: Final[Mapping[str, str]] = {
    "policy_unavailable": "Try again in a moment.",
    "too_many_questions": "Try again in a moment, with fewer messages at once.",
    "overloaded": "Try again in a moment.",
}
