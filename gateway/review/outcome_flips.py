"""Counts of old and new outcomes; flips are grouped, with one example each.

Rule 1: a loosening flip (a denial or hold becomes an allow) is never lost: when there are too many groups, the
remaining flips are counted in one group that no expectation can explain.
Rule 2: memory is bounded by the groups, not by the rows.
"""

from collections import Counter
from typing import Final

from msgspec import Struct

from gateway.admission.record import Outcome
from gateway.review.recorded_decision import Left, RecordedDecision, Why
from gateway.review.replayed_outcome import ReplayedOutcome, Unanswered

OUTCOMES: Final[tuple[Outcome, ...]] = ("allow", "hold", "deny")
MOST_GROUPS: Final = 5_000
OVER: Final = "(more groups than are kept apart)"


class Kind(Struct, frozen=True, kw_only=True, order=True):
    """The common properties of a group of flips: outcomes, reasons, agent, server and target."""

    before: Outcome
    after: Outcome
    agent: str = ""
    server: str = ""
    target: str = ""
    rule_before: str = ""
    requirement_before: str = ""
    rule_after: str = ""
    requirement_after: str = ""

    @property
    def loosens(self) -> bool:
        """True if a refused or held call would be allowed."""
        return self.after == "allow" and self.before != "allow"


class Example(Struct, frozen=True, kw_only=True):
    """One flip of its group."""

    call_id: str
    time: str
    reason_before: str
    reason_after: str


class Flips(Struct, frozen=True, kw_only=True):
    """All flips of one group."""

    kind: Kind
    count: int
    example: Example


class Comparison(Struct, frozen=True, kw_only=True):
    """The result of a replay. Counts are of recorded decisions, including equal ones that a corpus combines."""

    outcomes: dict[tuple[Outcome, Outcome], int]
    flips: tuple[Flips, ...]
    """Loosening flips first, then by count."""
    left: dict[Why, int]
    errors: dict[str, int]
    """Evaluation errors of the candidate by their text; each counts as a denial."""
    unanswered: dict[str, int]

    @property
    def replayed(self) -> int:
        """The number of decisions that were compared."""
        return sum(self.outcomes.values())


class Matrix:
    """Collector that compares rows one by one."""

    def __init__(self, most_groups: int = MOST_GROUPS) -> None:
        self._most: Final = most_groups
        self._outcomes: Final[Counter[tuple[Outcome, Outcome]]] = Counter()
        self._counts: Final[Counter[Kind]] = Counter()
        self._examples: Final[dict[Kind, Example]] = {}
        self._left: Final[Counter[Why]] = Counter()
        self._errors: Final[Counter[str]] = Counter()
        self._unanswered: Final[Counter[str]] = Counter()

    def leave(self, left: Left) -> None:
        """Count a record that is not replayed."""
        self._left[left.why] += left.count

    def take(self, row: RecordedDecision, answer: ReplayedOutcome | Unanswered) -> None:
        """Count a row with the candidate's answer. An error on a masked question says nothing about the candidate."""
        if isinstance(answer, Unanswered):
            self._unanswered[answer.detail] += row.count
        elif answer.code and not row.whole:
            self._left["masked"] += row.count
        else:
            self._compare(row, answer)

    def _compare(self, row: RecordedDecision, answer: ReplayedOutcome) -> None:
        self._outcomes[row.outcome, answer.outcome] += row.count
        if answer.code:
            self._errors[f"{answer.code}: {answer.reason}"] += row.count
        if row.outcome != answer.outcome:
            kind = self._kept(_kind(row, answer))
            self._counts[kind] += row.count
            self._examples.setdefault(kind, _example(row, answer))

    def _kept(self, kind: Kind) -> Kind:
        if kind in self._counts or len(self._counts) < self._most:
            return kind
        return Kind(before=kind.before, after=kind.after, agent=OVER)

    def comparison(self) -> Comparison:
        """Return the result."""
        ranked = sorted(self._counts, key=lambda kind: (not kind.loosens, -self._counts[kind], kind))
        return Comparison(
            outcomes=dict(self._outcomes),
            flips=tuple(Flips(kind=kind, count=self._counts[kind], example=self._examples[kind]) for kind in ranked),
            left=dict(self._left),
            errors=dict(self._errors),
            unanswered=dict(self._unanswered),
        )


def _kind(row: RecordedDecision, answer: ReplayedOutcome) -> Kind:
    return Kind(
        before=row.outcome,
        after=answer.outcome,
        agent=row.agent,
        server=row.server,
        target=row.target,
        rule_before=row.rule,
        requirement_before=row.requirement,
        rule_after=answer.rule,
        requirement_after=answer.requirement,
    )


def _example(row: RecordedDecision, answer: ReplayedOutcome) -> Example:
    return Example(call_id=row.call_id, time=row.time, reason_before=row.reason, reason_after=answer.reason)
