"""Share of the recorded decisions that can be replayed, for each requirement.

Rule 1: a decision counts for a requirement if none of the fields that it reads was masked or omitted.
"""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from gateway.review.masked_fields import Readings, withheld
from gateway.review.recorded_decision import COMPARED, Left, RecordedDecision


class ReplayCoverage(Struct, frozen=True):
    """The number of decisions that can be replayed for a requirement; an empty name means the whole decision."""

    requirement: str
    replayable: int
    decisions: int


def shares(items: Iterable[RecordedDecision | Left], readings: Readings) -> list[ReplayCoverage]:
    """Return the share for each requirement of a bundle, and last the share for the whole decision."""
    decisions, whole = 0, 0
    prevented: Counter[str] = Counter()
    for item in items:
        if isinstance(item, Left):
            lost = item.count if item.why in COMPARED else 0
            decisions += lost
            prevented.update(dict.fromkeys(readings.names, lost))
            continue
        decisions += item.count
        hidden = readings.prevented(item, withheld(item))
        prevented.update(dict.fromkeys(hidden, item.count))
        whole += 0 if hidden else item.count
    each = [ReplayCoverage(name, decisions - prevented[name], decisions) for name in sorted(readings.names)]
    return [*each, ReplayCoverage("", whole, decisions)]
