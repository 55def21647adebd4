"""A `decided` record as replay needs it: what was asked, what came of it, and whether it can be asked again.

Rule 1: a record is a row, or it says why it is none; every `decided` record is counted as one or the other.
Rule 2: only what the policy decided is compared: what the gateway refused for itself says nothing about a bundle.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

from msgspec import Meta, Struct

from gateway.admission.decision import FailureCode
from gateway.admission.record import Outcome
from gateway.artifact.json_types import is_object
from gateway.journal.query import agent_of, target_of
from gateway.journal.record_expander import UNDESCRIBED
from gateway.journal.segment_lines import Read

Count = Annotated[int, Meta(ge=1)]
"""How many decisions something stands for: at least the one that it is."""
Why = Literal["no_input", "undescribed", "masked", "no_decision", "stopped", "gateway", "unreadable"]
WHY: Final[Mapping[Why, str]] = {
    "no_input": "no policy input was recorded (`journal.masking: none`, or the arguments were too large)",
    "undescribed": "the record that describes its sender is not among those that were read (removed, or another file)",
    "masked": "something that the candidate reads was masked",
    "no_decision": "the policy gave no decision (unavailable, failed, older than one enforced before)",
    "stopped": "refused by an emergency stop, which is no part of a policy bundle",
    "gateway": "refused by the gateway after the policy had decided",
    "unreadable": "the record does not have the shape of one",
}
"""Why a record cannot be replayed."""
COMPARED: Final = ("no_input", "undescribed", "masked", "unreadable")
"""The reasons for which a decision of the policy could not be compared; the others were no decisions of a policy."""

STOP: Final = "nothing_is_stopped"
"""The requirement by which an emergency stop refuses."""
_DECIDED: Final = frozenset({"", "policy_denied", "approval_required", "obligation_unsupported"})
"""Codes of records whose outcome is the policy's own."""
_UNDECIDED: Final = frozenset(get_args(FailureCode))
"""Codes of records without a decision of the policy."""


class RecordedDecision(Struct, frozen=True, kw_only=True):
    """One decision that can be asked for again; `count` stands for alike questions with the same outcome."""

    call_id: str
    time: str
    outcome: Outcome
    input: dict[str, Any]
    whole: bool
    """Whether nothing of the question was masked."""
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
    """Return the row of a `decided` record whoever refused; None where it holds no question."""
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
