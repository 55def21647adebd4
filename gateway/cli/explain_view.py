"""The output of `explain` as text for people and as JSON.

Rule 1: the recorded decision comes first. Results of asking OPA again, and missing information, are marked as such.
Rule 2: text chosen by a client or server is escaped before it reaches the terminal.
"""

from collections.abc import Iterator
from typing import Any, Final

import click
import msgspec

from gateway.cli.live_decisions import escaped
from gateway.cli.replay_view import cut, why
from gateway.journal.query import agent_of, target_of
from gateway.journal.record_expander import UNDESCRIBED
from gateway.journal.segment_lines import Read
from gateway.review.candidate import Candidate
from gateway.review.explanation import Explanation, RequirementResult, RuleThere
from gateway.review.hub_revisions import same_policy
from gateway.review.recorded_decision import STOP, WHY
from gateway.review.replayed_outcome import ReplayedOutcome
from gateway.review.whatif.search import Searched

_WORDS: Final = {"allow": "ALLOWED", "deny": "DENIED", "hold": "HELD"}
_COLORS: Final = {"allow": "green", "deny": "red", "hold": "yellow"}
_HOLDS: Final = {True: "met", False: "NOT MET", None: "unknown"}
_VALUE: Final = 120


def shown(record: Read, bundle: Candidate, explanation: Explanation | None, *, color: bool) -> str:
    """Return the explanation as text."""
    lines = [*_head(record, bundle), *(f"  note: {note}" for note in notes(record, bundle, explanation))]
    if explanation is not None:
        lines += [*_holding(explanation), *_requirements(explanation), *_rules(explanation), *_flips(explanation)]
    text = "\n".join(lines)
    return text if color else click.unstyle(text)


def _head(record: Read, bundle: Candidate) -> Iterator[str]:
    outcome = str(record.get("outcome", ""))
    title = click.style(_WORDS.get(outcome, outcome), fg=_COLORS.get(outcome), bold=True)
    yield f"{title}  call {cut(str(record.get('call_id')))} of {cut(str(record.get('time')))}"
    where = f"{cut(str(record.get('server')))} {cut(target_of(record) or str(record.get('method')))}"
    yield f"  {cut(agent_of(record)) or '(nobody)'} → {where} ({cut(str(record.get('action', 'unknown')))})"
    reasons: list[Any] = list(record.get("reasons", ()))
    for reason in reasons:
        yield f"  because {cut(str(reason.get('requirement')))}: {cut(str(reason.get('message')))}"
    metadata = bundle.manifest.metadata
    said = [f"commit {metadata.commit}" if metadata.commit else "", f"by {metadata.author}" if metadata.author else ""]
    yield f"  decided by {cut(str(record.get('revision') or 'no revision'))}"
    yield f"  explained by {cut(bundle.revision)} " + cut(" ".join([*filter(None, said), f"from {bundle.origin}"]))


def notes(record: Read, bundle: Candidate, explanation: Explanation | None) -> Iterator[str]:
    """Yield the caveats of the explanation, one sentence each."""
    if not same_policy(str(record.get("revision", "")), bundle.revision):
        yield "this is not the policy that decided; to be sure, name that bundle or check out its commit."
    if any(reason.get("requirement") == STOP for reason in record.get("reasons", ())):
        yield "an emergency stop refused the call; the rest ignores the stop."
    if explanation is None and record.get(UNDESCRIBED):
        yield f"{WHY['undescribed']}: the question cannot be asked again."
        return
    if explanation is None:
        yield "no policy input was recorded (`journal.masking: none`, or too large): it cannot be asked again."
        return
    if explanation.masked:
        names = ", ".join(filter(None, explanation.masked)) or "all of them"
        yield f"masked values leave the result of these unknown: {names} (see `journal.masking`, `journal.keep_read`)."
    again = explanation.again
    if not isinstance(again, ReplayedOutcome):
        yield f"OPA gave no decision on it again: {cut(again.detail) if again else 'the question was not recorded'}."
    elif again.outcome != record.get("outcome") and not explanation.masked:
        yield f"asked again, OPA answers {again.outcome}: {why(again.rule, again.requirement, again.reason)}."


def _holding(explanation: Explanation) -> Iterator[str]:
    """Yield the data classes of the target and the reach of its effects, if either is known."""
    if explanation.data or explanation.reach:
        holds = f"data of class {cut(', '.join(explanation.data))}" if explanation.data else "data of no known class"
        yield f"  the target has {holds}, {cut(explanation.reach) or 'of unknown reach'}"


def _requirements(explanation: Explanation) -> Iterator[str]:
    yield ""
    yield "requirements"
    for standing in sorted(explanation.requirements, key=lambda each: (each.holds is True, each.name)):
        yield from _standing(standing)


def _standing(standing: RequirementResult) -> Iterator[str]:
    word = click.style(f"{_HOLDS[standing.holds]:8}", fg="red" if standing.holds is False else None)
    by = " (by its arguments)" if standing.met and standing.met_by_arguments is False else ""
    masked = " (values that it reads are masked)" if standing.masked else ""
    yield f"  {word} {standing.name}: {standing.title}{by}{masked}"
    yield from (f"             {cut(text)}" for text in standing.because)
    yield from (f"             {cut(place)} = {_json(value)}" for place, value in standing.values)


def _rules(explanation: Explanation) -> Iterator[str]:
    if explanation.rules:
        yield ""
        yield "rules"
    for rule in explanation.rules:
        yield from _rule(rule)


def _rule(rule: RuleThere) -> Iterator[str]:
    at = f"{rule.file}:{rule.line}" if rule.file else "not in a file of the bundle"
    near = "" if rule.applied else " did not apply:"
    yield f"  {rule.effect} {cut(rule.rule)}{near}  {cut(at)}, owner {cut(rule.owner) or 'nobody'}"
    if rule.because:
        yield f"        {cut(rule.because)}"
    yield from (f"        {cut(condition)}" for condition in rule.conditions)
    yield from (f"        its {miss} does not match" for miss in rule.misses)


def _flips(explanation: Explanation) -> Iterator[str]:
    yield ""
    yield "changes that would have flipped the decision (each verified by OPA)"
    searched = explanation.searched
    if searched is None:
        yield "  not searched: the question cannot be asked again as it was."
    elif not searched.trusted:
        yield "  not searched: the bundle's index does not match this version of the build; build it again."
    else:
        for flip in searched.flips:
            yield f"  → {flip.becomes.outcome}  {cut(' and '.join(flip.changes))}"
        yield f"  {tried(searched)}"


def tried(searched: Searched) -> str:
    """Return how many changes were tried, and that none flips the decision if none was found."""
    looked = f"{searched.singles:,} single changes" + (f" and {searched.pairs:,} pairs" if searched.pairs else "")
    return f"({looked} tried)" if searched.flips else f"no single change and no pair found ({looked} tried)."


def _json(value: Any) -> str:
    text = escaped(msgspec.json.encode(value).decode())
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 1]}…"


def document(record: Read, bundle: Candidate, explanation: Explanation | None) -> dict[str, Any]:
    """Return the explanation as plain JSON."""
    metadata = bundle.manifest.metadata
    kept = ("call_id", "decision_id", "time", "outcome", "code", "server", "target", "action", "agent", "reasons")
    told: dict[str, Any] = {
        "schema": "mcp.explanation/v1",
        "recorded": {name: record.get(name) for name in (*kept, "grounds", "revision")},
        "bundle": {
            "revision": bundle.revision,
            "commit": metadata.commit,
            "author": metadata.author,
            "decided": same_policy(str(record.get("revision", "")), bundle.revision),
        },
        "notes": list(notes(record, bundle, explanation)),
        "explanation": None,
    }
    return told if explanation is None else told | {"explanation": msgspec.to_builtins(explanation)}
