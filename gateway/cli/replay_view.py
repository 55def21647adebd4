"""A replay's report for people at a terminal.

Rule 1: failures come last, near the prompt. Text from clients is escaped before it reaches the terminal.
"""

from collections.abc import Iterator

import click

from gateway.cli.live_decisions import escaped
from gateway.review.outcome_flips import OUTCOMES, Flips, Kind
from gateway.review.recorded_decision import WHY
from gateway.review.report import REMEDY, ReplayReport, uncompared

_WORDS = 160
_COLORS = {"allow": "green", "hold": "yellow", "deny": "red"}


def shown(report: ReplayReport, most: int, *, color: bool) -> str:
    """Return the report as text, with at most `most` groups of flips."""
    text = "\n".join([*_head(report), *_flips(report, most), *_rest(report), *_verdict(report)])
    return text if color else click.unstyle(text)


def _head(report: ReplayReport) -> Iterator[str]:
    comparison = report.comparison
    commit = f", commit {report.manifest.metadata.commit}" if report.manifest.metadata.commit else ""
    rate = comparison.replayed / report.seconds if report.seconds else 0
    candidate = f"{cut(report.manifest.revision)}{commit}"
    yield f"{comparison.replayed:,} decisions replayed on {candidate} ({rate:,.0f} questions a second)"
    yield ""
    yield f"{'':12}" + "".join(f"{'now ' + name:>14}" for name in OUTCOMES)
    for before in OUTCOMES:
        cells = [comparison.outcomes.get((before, after), 0) for after in OUTCOMES]
        yield f"{'was ' + before:12}" + "".join(f"{count or '·':>14,}" if count else f"{'·':>14}" for count in cells)


def _flips(report: ReplayReport, most: int) -> Iterator[str]:
    flips = report.comparison.flips
    for each in flips[:most]:
        yield ""
        yield from _group(report, each)
    if len(flips) > most:
        rest = flips[most:]
        yield ""
        yield f"and {len(rest):,} more groups with {sum(each.count for each in rest):,} decisions (--limit shows more)"


def _group(report: ReplayReport, flips: Flips) -> Iterator[str]:
    kind, example = flips.kind, flips.example
    before, after = (click.style(name, fg=_COLORS[name], bold=True) for name in (kind.before, kind.after))
    yield f"{before} → {after}  {flips.count:,} times  {cut(kind.agent) or '(nobody)'} → {place(kind)}"
    yield f"  was  {why(kind.rule_before, kind.requirement_before, example.reason_before)}"
    yield f"  now  {why(kind.rule_after, kind.requirement_after, example.reason_after)}"
    yield f"  such as call {cut(example.call_id)} of {cut(example.time)}"
    entry = report.explaining(flips)
    if entry is not None:
        yield f"  expected by {cut(entry.owner)}: {cut(entry.reason)} ({entry.file}:{entry.line})"
    elif kind.loosens:
        yield click.style("  no expected change explains this", fg="red", bold=True)


def _rest(report: ReplayReport) -> Iterator[str]:
    comparison = report.comparison
    if comparison.left:
        yield ""
        yield f"not replayed ({uncompared(comparison):,} of them decisions of a policy):"
        for reason, count in sorted(comparison.left.items()):
            yield f"  {count:>10,}  {WHY[reason]}"
    for title, counts in (("errors of the candidate, counted as denials", comparison.errors),):
        if counts:
            yield ""
            yield f"{title}:"
            yield from (f"  {count:>10,}  {cut(text)}" for text, count in counts.items())
    for text, count in comparison.unanswered.items():
        yield f"no answer: {count:,} times, {cut(text)}"
    for problem in report.expected.problems:
        yield f"expected changes: {cut(str(problem))}"
    for entry in report.unused:
        yield f"expected changes: {entry.file}:{entry.line} does not match any change: remove it."


def _verdict(report: ReplayReport) -> Iterator[str]:
    yield ""
    for failure in report.failures:
        yield click.style(f"FAILED: {failure}", fg="red", bold=True)
    if report.unexplained:
        yield REMEDY
    if not report.failures:
        yield click.style("passed: the candidate loosens nothing unexpected.", fg="green", bold=True)


def why(rule: str, requirement: str, reason: str) -> str:
    """Return the reason for a decision, in one line."""
    named = " by ".join(cut(part) for part in (requirement, f"rule {rule}" if rule else "") if part)
    return ": ".join(part for part in (named, cut(reason)) if part) or "(no reason was given)"


def place(kind: Kind) -> str:
    """Return the server and target of the call."""
    return f"{cut(kind.server) or '-'} {cut(kind.target)}".rstrip()


def cut(text: str) -> str:
    """Return a printable text of at most one line's length."""
    text = escaped(text[: _WORDS + 1])
    return text if len(text) <= _WORDS else text[: _WORDS - 1] + "…"
