"""A bundle's outcome for a recorded question, as the gateway would enforce it, with the reason.

Rule 1: the answer is processed as in enforcement: an allow that enforcement would refuse is not an allow.
Rule 2: an evaluation error and a malformed decision are denials with their code. Without an answer from OPA the outcome
is unknown.
"""

from typing import Final

import msgspec
from msgspec import Struct

from gateway.admission.decision import Decision, PolicyFailure, Verdict
from gateway.admission.enforce import ruling
from gateway.admission.policy_input import Target
from gateway.admission.record import Outcome
from gateway.artifact.json_narrowing import Json
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
    """OPA returned no answer, so the outcome is unknown."""

    detail: str


def judged(answer: Exchanged, question: Json) -> ReplayedOutcome | Unanswered:
    """Return the outcome that would be enforced."""
    found = read_decision(answer)
    return _failed(answer, found, question) if isinstance(found, PolicyFailure) else enacted(found.result, question)


def _failed(answer: Exchanged, failure: PolicyFailure, question: Json) -> ReplayedOutcome | Unanswered:
    """Return the refusal of a question on which the policy fails or returns a malformed decision."""
    if failure.code != "policy_error" and answer.status != _OK:
        return Unanswered(failure.detail)
    enforced = ruling(failure, _target(question))
    return ReplayedOutcome(
        outcome=enforced.outcome, requirement=failure.requirement, reason=failure.detail, code=enforced.code
    )


def enacted(decision: Decision, question: Json) -> ReplayedOutcome:
    """Return the outcome that enforcement derives from a decision."""
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
    """Return the target of a question. An unreadable target counts as a tool, which only an allow admits."""
    try:
        return msgspec.convert(question.get("target"), Target)
    except msgspec.ValidationError:
        return Target(type="tool")
