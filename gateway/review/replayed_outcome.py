"""What a bundle makes of a recorded question: the outcome that the gateway would enforce, and why.

Rule 1: an answer is taken as enforcement takes it: what enforcement would not let pass is no allow.
Rule 2: an evaluation error and an answer that is not a decision are denials with their code; an OPA that gives no
answer has decided nothing.
"""

from typing import Final

import msgspec
from msgspec import Struct

from gateway.admission.decision import Decision, PolicyFailure, Verdict
from gateway.admission.enforce import ruling
from gateway.admission.policy_input import Target
from gateway.admission.record import Outcome
from gateway.artifact.json_types import Json
from gateway.opa.answer import read_decision
from gateway.opa.transport import Exchanged

_OK: Final = 200


class ReplayedOutcome(Struct, frozen=True, kw_only=True):
    """An outcome with the first of its grounds and reasons; `code` names a failure of the policy."""

    outcome: Outcome
    rule: str = ""
    requirement: str = ""
    reason: str = ""
    code: str = ""


class Unanswered(Struct, frozen=True):
    """OPA gave no answer, so that nothing is known of this question."""

    detail: str


def judged(answer: Exchanged, question: Json) -> ReplayedOutcome | Unanswered:
    """Return what would be enforced."""
    found = read_decision(answer)
    return _failed(answer, found, question) if isinstance(found, PolicyFailure) else enacted(found.result, question)


def _failed(answer: Exchanged, failure: PolicyFailure, question: Json) -> ReplayedOutcome | Unanswered:
    """Return the refusal of a question that the policy fails on, or answers with what is not a decision."""
    if failure.code != "policy_error" and answer.status != _OK:
        return Unanswered(failure.detail)
    enforced = ruling(failure, _target(question))
    return ReplayedOutcome(
        outcome=enforced.outcome, requirement=failure.requirement, reason=failure.detail, code=enforced.code
    )


def enacted(decision: Decision, question: Json) -> ReplayedOutcome:
    """Return what enforcement makes of a decision."""
    verdict = Verdict(decision=decision, revision="", decision_id="", micros=0)
    enforced = ruling(verdict, _target(question))
    reason = enforced.reasons[0] if enforced.reasons else None
    return ReplayedOutcome(
        outcome=enforced.outcome,
        rule=decision.grounds[0].rule if decision.grounds else "",
        requirement=reason.requirement if reason else "",
        reason=reason.message if reason else "",
    )


def _target(question: Json) -> Target:
    """Return the target of a question; one that cannot be read counts as a tool, which only an allow admits."""
    try:
        return msgspec.convert(question.get("target"), Target)
    except msgspec.ValidationError:
        return Target(type="tool")
