"""A replay's report as a comment on a pull request.

Rule 1: text from clients is put in code spans without backticks and cut to one line, so it cannot become markup or a
link.
Rule 2: a comment never exceeds the size limit; the groups that did not fit are counted.
"""

from collections.abc import Iterator
from typing import Final

from gateway.cli.replay_view import cut
from gateway.review.outcome_flips import OUTCOMES, Flips
from gateway.review.recorded_decision import WHY
from gateway.review.report import REMEDY, ReplayReport, uncompared

MOST_CHARACTERS: Final = 60_000
"""GitHub accepts 65,536."""
_RESERVED: Final = 8_000
"""Reserved for the text after the groups."""
_MOST_LINES: Final = 10


def markdown(report: ReplayReport, most: int) -> str:
    """Return the comment, with at most `most` groups of flips."""
    lines = [*_head(report)]
    room = MOST_CHARACTERS - _RESERVED - sum(map(len, lines))
    told = 0
    for flips in report.comparison.flips[:most]:
        group = list(_group(report, flips))
        room -= sum(len(line) + 1 for line in group)
        if room < 0:
            break
        lines += group
        told += 1
    left = report.comparison.flips[told:]
    if left:
        lines.append(f"- and {len(left):,} more groups with {sum(each.count for each in left):,} decisions")
    return "\n".join([*lines, *_rest(report)]) + "\n"


def _head(report: ReplayReport) -> Iterator[str]:
    verdict = "passes" if not report.failures else "fails"
    yield f"### Policy replay {verdict}: {report.comparison.replayed:,} recorded decisions"
    yield ""
    yield from (f"- **{failure}**" for failure in report.failures)
    if report.unexplained:
        yield f"- {REMEDY}"
    yield f"- candidate {code(report.manifest.revision)}"
    yield ""
    yield f"| | {' | '.join(f'now {name}' for name in OUTCOMES)} |"
    yield f"|---|{'---:|' * len(OUTCOMES)}"
    for before in OUTCOMES:
        counts = [report.comparison.outcomes.get((before, after), 0) for after in OUTCOMES]
        yield f"| was {before} | {' | '.join(f'{count:,}' for count in counts)} |"
    yield ""


def _group(report: ReplayReport, flips: Flips) -> Iterator[str]:
    kind, example, entry = flips.kind, flips.example, report.explaining(flips)
    mark = "" if entry or not kind.loosens else " — **not expected**"
    where = f"{code(kind.agent or '(nobody)')} on {code(kind.server)} {code(kind.target)}"
    yield f"- **{kind.before} → {kind.after}**, {flips.count:,} times: {where}{mark}"
    yield f"  - was {_why(kind.rule_before, kind.requirement_before, example.reason_before)}"
    yield f"  - now {_why(kind.rule_after, kind.requirement_after, example.reason_after)}"
    yield f"  - such as call {code(example.call_id)} of {code(example.time)}"
    if entry is not None:
        yield f"  - expected by {code(entry.owner)}: {code(entry.reason)}"


def _rest(report: ReplayReport) -> Iterator[str]:
    comparison = report.comparison
    notes = [f"{count:,} not replayed: {WHY[why]}" for why, count in sorted(comparison.left.items())]
    notes += [f"{count:,} times the error {code(text)}" for text, count in _first(comparison.errors)]
    notes += [f"{count:,} times no answer {code(text)}" for text, count in _first(comparison.unanswered)]
    notes += [f"expected changes: {code(str(problem))}" for problem in report.expected.problems[:_MOST_LINES]]
    notes += [f"expected changes: {code(f'{each.file}:{each.line}')} is unused" for each in report.unused[:_MOST_LINES]]
    if notes:
        yield ""
        yield f"<details><summary>{uncompared(comparison):,} decisions could not be compared; notes</summary>"
        yield ""
        yield from (f"- {note}" for note in notes)
        yield ""
        yield "</details>"


def _first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: -pair[1])[:_MOST_LINES]


def _why(rule: str, requirement: str, reason: str) -> str:
    named = [code(requirement)] if requirement else []
    named += [f"rule {code(rule)}"] if rule else []
    said = " by ".join(named)
    return f"{said}: {code(reason)}" if reason and said else said or (code(reason) if reason else "without a reason")


def code(text: str) -> str:
    """Return a text as a code span without markup."""
    return f"`{cut(text).replace('`', chr(39)) or '-'}`"
