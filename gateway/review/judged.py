"""What a bundle makes of a recorded question: the outcome that the gateway would enforce, and why.

Rule 1: an answer is taken as enforcement takes it: what enforcement would not let pass is no allow.
Rule 2: an evaluation error is a denial with its code; an OPA that gives no answer has decided nothing.
"""

from typing import Final

from msgspec import Struct

from gateway.admission.action import Admit, Outbound
from gateway.admission.decision import Decision, PolicyFailure, Verdict
from gateway.admission.enforce import enforce
from gateway.admission.record import Outcome
from gateway.opa.answer import Decided

_NOWHERE: Final = Outbound(verb="POST", server="", headers=())
"""Nothing is sent: enforcement is asked for its judgement only."""


class Judged(Struct, frozen=True, kw_only=True):
    """An outcome with the first of its grounds and reasons; `code` names a failure of the policy."""

    outcome: Outcome
    rule: str = ""
    requirement: str = ""
    reason: str = ""
    code: str = ""


class Unanswered(Struct, frozen=True):
    """OPA gave no answer, so that nothing is known of this question."""

    detail: str


def judged(answer: Decided | PolicyFailure) -> Judged | Unanswered:
    """Return what would be enforced."""
    if isinstance(answer, PolicyFailure):
        if answer.code != "policy_error":
            return Unanswered(answer.detail)
        return Judged(outcome="deny", requirement=answer.requirement, reason=answer.detail, code=answer.code)
    return enacted(answer.result)


def enacted(decision: Decision) -> Judged:
    """Return what enforcement makes of a decision."""
    verdict = Verdict(decision=decision, revision="", decision_id="", micros=0)
    enforced = enforce(verdict, _NOWHERE)
    rule = decision.grounds[0].rule if decision.grounds else ""
    if isinstance(enforced, Admit):
        return Judged(outcome="allow", rule=rule)
    reason = enforced.reasons[0] if enforced.reasons else None
    return Judged(
        outcome="hold" if decision.outcome == "hold" else "deny",
        rule=rule,
        requirement=reason.requirement if reason else "",
        reason=reason.message if reason else "",
    )
