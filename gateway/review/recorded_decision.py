"""A `decided` record as input of a replay: its question, its outcome, and whether it can be replayed.

Rule 1: every `decided` record is counted, either as a row or with the reason why it is not one.
Rule 2: only decisions of the policy are compared; refusals by the gateway itself say nothing about a bundle.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

from msgspec import Meta, Struct

from gateway.admission.decision import FailureCode
from gateway.admission.record import Outcome
from gateway.artifact.json_narrowing import is_object
from gateway.journal.query import agent_of, target_of
from gateway.journal.record_expander import UNDESCRIBED
from gateway.journal.segment_lines import Read

Count = Annotated[int, Meta(ge=1)]
"""The number of decisions that a row represents, at least one."""
Why = Literal["no_input", "undescribed", "masked", "no_decision", "stopped", "gateway", "unreadable"]
WHY: Final[Mapping[Why, str]] = {
    "no_input": "the record has no policy input (`journal.masking: none`, or the arguments were too large)",
    "undescribed": "the record that describes the sender was not read (removed, or in another file)",
    "masked": "the candidate reads a field that was masked",
    "no_decision": "the policy made no decision (unavailable, failed, older than one enforced before)",
    "stopped": "an emergency stop refused it; stops are not part of a policy bundle",
    "gateway": "the gateway refused it after the policy's decision",
    "unreadable": "the record is malformed",
}
"""The reasons why a record cannot be replayed."""
COMPARED: Final = ("no_input", "undescribed", "masked", "unreadable")
"""The reasons why a decision of the policy could not be compared; the other reasons mean no policy decision."""

STOP: Final = "nothing_is_stopped"
"""The requirement that refuses during an emergency stop."""
_DECIDED: Final = frozenset({"", "policy_denied", "approval_required", "obligation_unsupported"})
"""Codes of records with the policy's own outcome."""
_UNDECIDED: Final = frozenset(get_args(FailureCode))
"""Codes of records without a decision of the policy."""


class RecordedDecision(Struct, frozen=True, kw_only=True):
    """One decision that can be replayed; `count` includes equal questions with the same outcome."""

    call_id: str
    time: str
    outcome: Outcome
    input: dict[str, Any]
    whole: bool
    """True if nothing in the question was masked."""
    agent: str = ""
    server: str = ""
    target: str = ""
    method: str = ""
    rule: str = ""
    requirement: str = ""
    reason: str = ""
    revision: str = ""
    count: Count = 1


class Left(Struct, frozen=True):
    """A record that is not replayed."""

    why: Why
    count: Count = 1


def row_of(record: Read) -> RecordedDecision | Left:
    """Return the row of a `decided` record."""
    code = str(record.get("code", ""))
    reasons: list[Any] = list(record.get("reasons", ()))
    if any(reason.get("requirement") == STOP for reason in reasons):
        return Left("stopped")
    if code in _UNDECIDED:
        return Left("no_decision")
    if code not in _DECIDED:
        return Left("gateway")
    if record.get("input") is None:
        return Left("undescribed" if record.get(UNDESCRIBED) else "no_input")
    return asked_in(record) or Left("unreadable")


def asked_in(record: Read) -> RecordedDecision | None:
    """Return the row of a `decided` record, even if the gateway refused; None if it has no question."""
    question = record.get("input")
    if not is_object(question) or record.get("outcome") not in {"allow", "hold", "deny"}:
        return None
    reasons: list[Any] = list(record.get("reasons", ()))
    method = str(record.get("method", ""))
    return RecordedDecision(
        call_id=str(record.get("call_id", "")),
        time=str(record.get("time", "")),
        outcome=record["outcome"],
        input=question,
        whole=record.get("replayable") is True,
        agent=agent_of(record),
        server=str(record.get("server", "")),
        target=target_of(record) or method,
        method=method,
        rule=str(record.get("rule", "")),
        requirement=str(record.get("requirement", "")),
        reason=str(reasons[0].get("message", "")) if reasons else "",
        revision=str(record.get("revision", "")),
    )
