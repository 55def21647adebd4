"""`mcp-admission bundle diff`: the changes between two bundles, for a reviewer, a program or a pull request.

Rule 1: a change that admits more, or may, is marked. Text from a bundle is escaped.
Rule 2: the changed words of a definition are shown line by line, uncut.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from gateway.artifact.artifact import Artifact
from gateway.authoring.difference import Change, Effect, differences
from gateway.cli.bundle.files import artifact_in
from gateway.cli.live_decisions import colored, escaped

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_MARKS: Final[dict[Effect, str]] = {"looser": "loosens", "unclear": "may loosen", "stricter": "tightens", "same": ""}
_COLORS: Final[dict[Effect, str]] = {"looser": "red", "unclear": "yellow", "stricter": "green"}
_WIDTH: Final = 12


@click.command(
    "diff",
    short_help="Show the policy changes between two bundles.",
    epilog="""\b
Examples:
  mcp-admission bundle fetch production --from https://hub.example.com -o published.tar.gz   # the bundle in force
  mcp-admission bundle diff published.tar.gz bundle.tar.gz
  mcp-admission bundle diff published.tar.gz bundle.tar.gz --markdown >> "$GITHUB_STEP_SUMMARY"
""",
)
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
@click.option("--markdown", is_flag=True, help="Print the changes as Markdown, loosening changes first.")
@click.option("--fail-on-loosening", is_flag=True, help="Exit with 1 if a change loosens or may loosen the policy.")
def command(old: Path, new: Path, *, as_json: bool, markdown: bool, fail_on_loosening: bool) -> None:
    """Show the changes of the bundle NEW against the bundle OLD, rule by rule, and their effect on admission.

    `loosens` admits more than before, `tightens` admits less. For `may loosen`, only a reviewer or a replay of recorded
    calls can determine the effect.
    """
    before, after = artifact_in(old), artifact_in(new)
    found = differences(before, after)
    if isinstance(found, str):
        raise click.ClickException(f"{found}.")
    if as_json:
        changes = [{**msgspec.to_builtins(change), "loosens": change.loosens} for change in found]
        value = {"from": before.revision, "to": after.revision, "changes": changes}
        click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
    else:
        written = _markdown(before, after, found) if markdown else _text(before, after, found)
        click.echo("\n".join(written))
    if fail_on_loosening and any(change.loosens for change in found):
        raise SystemExit(1)


def _text(old: Artifact, new: Artifact, found: Sequence[Change]) -> Iterator[str]:
    color = colored(sys.stdout)
    yield f"{old.revision} -> {new.revision}"
    for change in found:
        mark = f"{_MARKS[change.effect]:{_WIDTH}}"
        yield f"{click.style(mark, fg=_COLORS.get(change.effect)) if color else mark}{escaped(str(change))}"
        yield from (f"{'':{_WIDTH}}  {escaped(line)}" for line in change.lines)
    yield _counted(found)


def _markdown(old: Artifact, new: Artifact, found: Sequence[Change]) -> Iterator[str]:
    yield f"**{old.revision} → {new.revision}**: {_counted(found)}"
    for effect, mark in _MARKS.items():
        some = [change for change in found if change.effect == effect]
        if some:
            yield ""
            yield f"### {mark.capitalize() or 'No effect on admission'}"
            yield from _by_team(some, named=any(change.team for change in found))


def _by_team(changes: Sequence[Change], *, named: bool) -> Iterator[str]:
    """Yield the changes of each team under its name, if any change of the report has one; other changes come last."""
    for team in sorted({change.team for change in changes}, key=lambda each: (not each, each)):
        yield ""
        if named:
            yield f"#### {f'Team {_plain(team)}' if team else 'No team'}"
            yield ""
        for change in changes:
            if change.team == team:
                yield f"- {_plain(str(change))}"
                yield from _fenced([escaped(line) for line in change.lines])


def _fenced(lines: Sequence[str]) -> Iterator[str]:
    """Yield changed words as a diff block with a fence that the words cannot close."""
    if lines:
        longest = max(map(len, re.findall("`+", "\n".join(lines))), default=0)
        fence = "`" * max(3, longest + 1)
        yield from ("", f"  {fence}diff", *(f"  {line}" for line in lines), f"  {fence}", "")


def _plain(text: str) -> str:
    """Return a sentence with code spans as its only Markdown or HTML."""
    spans = escaped(text).split("`")
    plain = [_unmarked(span) if number % 2 == 0 else span for number, span in enumerate(spans)]
    return "`".join(plain) if len(spans) % 2 else _unmarked(escaped(text).replace("`", "'"))


def _unmarked(text: str) -> str:
    return "".join(f"\\{letter}" if letter in r"\*_[]<>#|~&@!" else letter for letter in text)


def _counted(found: Sequence[Change]) -> str:
    counts = {mark: sum(change.effect == effect for change in found) for effect, mark in _MARKS.items() if mark}
    told = [f"{count} {mark}" for mark, count in counts.items() if count]
    return f"{len(found)} changes" + (f", {', '.join(told)}" if told else "") if found else "no change"
