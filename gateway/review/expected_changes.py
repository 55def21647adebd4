"""Expected changes of a pull request, `expected-changes.yaml`: the owner of a loosened decision, and the reason.

    changes:
      - from: deny
        to: allow
        rule: claude-only-reads-in-slack
        server: slack
        owner: security@example.com
        reason: Claude may post to #builds from now on (SEC-214).
        expires: 2026-12-31

Rule 1: an entry that is malformed or has expired explains nothing and is reported.
Rule 2: an entry states the outcomes before and after and names at least one thing; everything that it names must match
(`*` and `?` are globs). A rule or requirement matches if it was the reason before or after.
Rule 3: no entry explains flips that were combined because there were too many groups.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_array, is_object
from gateway.artifact.manifest import moment_of
from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.problem import Problem
from gateway.review.outcome_flips import OUTCOMES, OVER, Flips, Kind

_NAMED: Final = ("rule", "requirement", "agent", "server", "target")
_KNOWN: Final = frozenset({*_NAMED, "from", "to", "owner", "reason", "expires"})
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_REMEDY: Final = "It explains nothing until it is fixed."


class ExpectedChange(Struct, frozen=True, kw_only=True):
    """One expected change and its position; `named` contains the globs by the field that they match."""

    before: str
    after: str
    named: tuple[tuple[str, re.Pattern[str]], ...]
    owner: str
    reason: str
    file: str
    line: int

    def explains(self, kind: Kind) -> bool:
        """Return whether everything that the entry names matches these flips."""
        if OVER in kind.agent or (self.before, self.after) != (kind.before, kind.after):
            return False
        return all(any(glob.fullmatch(text) for text in _texts(kind, name)) for name, glob in self.named)


class Expected(Struct, frozen=True):
    """The valid entries, and the problems of the others."""

    entries: tuple[ExpectedChange, ...] = ()
    problems: tuple[Problem, ...] = ()

    def explaining(self, kind: Kind) -> ExpectedChange | None:
        """Return the first entry that explains these flips."""
        return next((entry for entry in self.entries if entry.explains(kind)), None)

    def unused(self, flips: Sequence[Flips]) -> list[ExpectedChange]:
        """Return the entries that match no flip."""
        return [entry for entry in self.entries if not any(entry.explains(each.kind) for each in flips)]


def read_expected(file: str, content: bytes, unix_ns: int) -> Expected:
    """Return the expected changes in a file, as of a moment."""
    document = read_document(file, content)
    if not isinstance(document, Document):
        return Expected(problems=tuple(document))
    changes = document.value.get("changes") if is_object(document.value) else None
    if not is_array(changes) or len(document.value) != 1:
        return Expected(
            problems=(document.problem("", "must contain only `changes:` with a list of entries.", _REMEDY),)
        )
    entries: list[ExpectedChange] = []
    problems: list[Problem] = []
    for number, change in enumerate(changes):
        wrong = [document.problem(f"/changes/{number}", what, _REMEDY) for what in _wrong(change, unix_ns)]
        problems += wrong
        if not wrong:
            entries.append(_entry(change, file, document.line(f"/changes/{number}")))
    return Expected(tuple(entries), tuple(problems))


def _wrong(change: object, unix_ns: int) -> Iterator[str]:
    if not is_object(change):
        yield "is not a valid entry: write from, to, the matched fields, owner and reason."
        return
    unknown = sorted(change.keys() - _KNOWN)
    if unknown:
        yield f"has unknown fields: {', '.join(f'`{name}`' for name in unknown)}."
    for name in ("from", "to"):
        if change.get(name) not in OUTCOMES:
            yield f"lacks `{name}`: one of {', '.join(OUTCOMES)}."
    for name in ("owner", "reason"):
        if not _said(change.get(name)):
            yield f"lacks `{name}`: write who is responsible and why."
    if not any(name in change for name in _NAMED):
        yield f"names nothing to match: add at least one of {', '.join(_NAMED)}."
    for name in _NAMED:
        if name in change and not _said(change[name]):
            yield f"has a `{name}` that is empty or not text."
    yield from _ended(change, unix_ns)


def _ended(change: Json, unix_ns: int) -> Iterator[str]:
    if "expires" not in change:
        return
    text = str(change["expires"])
    end = moment_of(f"{text}T23:59:59Z" if _DATE.fullmatch(text) else text)
    if end is None:
        yield f"expires at {text!r}, which is not a date or a time with a zone."
    elif end <= unix_ns:
        yield f"expired at {text}."


def _said(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _entry(change: Json, file: str, line: int) -> ExpectedChange:
    return ExpectedChange(
        before=change["from"],
        after=change["to"],
        named=tuple((name, _glob(change[name])) for name in _NAMED if name in change),
        owner=change["owner"],
        reason=change["reason"],
        file=file,
        line=line,
    )


def _glob(text: str) -> re.Pattern[str]:
    parts = ({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in text)
    return re.compile("".join(parts), re.DOTALL)


def _texts(kind: Kind, name: str) -> tuple[str, ...]:
    match name:
        case "rule":
            return (kind.rule_before, kind.rule_after)
        case "requirement":
            return (kind.requirement_before, kind.requirement_after)
        case "agent":
            return (kind.agent,)
        case "server":
            return (kind.server,)
        case _:
            return (kind.target,)
