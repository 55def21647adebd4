"""`mcp-admission replay`: the decisions of a candidate bundle on recorded calls.

Rule 1: a real OPA answers with the candidate itself. Masked or unrecorded input is counted, never guessed.
Rule 2: the exit code is 1 if a denial or hold would become an allow that the expected changes do not explain.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import orjson

from gateway.cli.bundle_options import NamedBundle, bundle_options, private_keys, reviewed
from gateway.cli.live_decisions import colored
from gateway.cli.locate_opa import opa_found
from gateway.cli.replay_markdown import markdown
from gateway.cli.replay_view import shown
from gateway.cli.start_times import Since
from gateway.library import library
from gateway.review.candidate import Candidate
from gateway.review.decision_sources import SourceError, count, environments, rows
from gateway.review.expected_changes import Expected, read_expected
from gateway.review.masked_fields import Readings
from gateway.review.outcome_flips import Matrix
from gateway.review.recorded_decision import Left, RecordedDecision
from gateway.review.replaying import Replay
from gateway.review.report import ReplayReport, document
from gateway.review.sidecar import Binary, SidecarError, asked

_PATH: Final = click.Path(exists=True, path_type=Path)
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "replay",
    short_help="Replay recorded calls against a candidate bundle.",
    epilog="""\b
Examples:
  mcp-admission replay --bundle bundle.tar.gz --journal .state/journal
  mcp-admission replay --policy policies --journal corpus.age --key-file ci.key
  mcp-admission replay --bundle bundle.tar.gz --journal corpus.age --key-file ci.key \\
    --expected expected-changes.yaml --format markdown --output report.md

\b
A file of expected changes; an entry names a rule, requirement, agent, server or target (globs with `*`, `?`):
  changes:
    - {from: deny, to: allow, server: mail, target: delete_mail, owner: you@example.com, reason: Spam goes (#42).}
""",
)
@bundle_options
@click.option(
    "--journal",
    "journals",
    type=_PATH,
    multiple=True,
    required=True,
    help="A journal's directory, files of it, or an exported corpus; repeatable.",
)
@click.option("--since", type=Since(), default=0, help="For journals: 15m, 2h, 1d, or a date and time in UTC.")
@click.option("--key-file", type=_FILE, help="Private key of an encrypted corpus.")
@click.option("--expected", "expectations", type=_FILE, help="File of intended changes, such as expected-changes.yaml.")
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to a file.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Groups of changed decisions to show; JSON has all.",
)
@click.option("--allow-nothing", is_flag=True, help="Pass even if none of the recorded decisions can be replayed.")
def command(form: str, output: Path | None, limit: int, **named: Any) -> None:
    """Replay recorded decisions against a candidate bundle and show the differences.

    A record is replayed if everything that the candidate reads is unmasked. The exit code is 1 if a denial or hold
    would become an allow that --expected does not explain.
    """
    bundled = NamedBundle(bundle=named["bundle"], policy=named["policy"], environment=named["environment"])
    candidate = reviewed(bundled, lambda: _environments(named))
    expected = _expected(named["expectations"])
    report = _replayed(candidate, expected, named)
    text = _formatted(report, form, limit, color=output is None and colored(sys.stdout))
    if output is None:
        click.echo(text)
    else:
        _write(output, text)
        click.echo("\n".join(report.failures) or f"passed: the report is in {output}.", err=True)
    if report.failures:
        raise SystemExit(1)


def _replayed(candidate: Candidate, expected: Expected, named: dict[str, Any]) -> ReplayReport:
    began = time.monotonic()
    comparing = Matrix()
    keys = private_keys(named["key_file"])
    given = rows(named["journals"], since_ns=named["since"], keys=keys)
    try:
        with _watched(given, lambda: count(named["journals"], since_ns=named["since"])) as watched:
            began = asyncio.run(_run(candidate, comparing, watched))
    except (SourceError, SidecarError) as error:
        raise click.ClickException(str(error)) from error
    return ReplayReport(
        manifest=candidate.manifest,
        comparison=comparing.comparison(),
        expected=expected,
        seconds=time.monotonic() - began,
        may_be_empty=named["allow_nothing"],
    )


def _environments(named: dict[str, Any]) -> set[str]:
    try:
        return environments(named["journals"], since_ns=named["since"], keys=private_keys(named["key_file"]))
    except SourceError as error:
        raise click.ClickException(str(error)) from error


async def _run(candidate: Candidate, matrix: Matrix, given: Iterable[RecordedDecision | Left]) -> float:
    """Replay the records and return the time at which OPA was ready."""
    async with asked(candidate, Binary(opa_found(), library())) as exchange:
        began = time.monotonic()
        await Replay(exchange=exchange, readings=Readings(candidate.data), matrix=matrix).run(given)
        return began


class _watched:  # noqa: N801 - reads like the context manager that it is
    """The rows, with a progress bar if standard error is a terminal."""

    def __init__(self, given: Iterator[RecordedDecision | Left], length: Callable[[], int | None]) -> None:
        self._given = given
        self._bar: Any = None
        if sys.stderr.isatty():
            self._bar = click.progressbar(given, length=length(), label="replaying", file=sys.stderr, width=30)

    def __enter__(self) -> Iterable[RecordedDecision | Left]:
        return self._given if self._bar is None else self._bar.__enter__()

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(*error)


def _expected(path: Path | None) -> Expected:
    if path is None:
        return Expected()
    try:
        return read_expected(str(path), path.read_bytes(), time.time_ns())
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror or error}.") from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror or error}.") from error


def _formatted(report: ReplayReport, form: str, limit: int, *, color: bool) -> str:
    match form:
        case "json":
            return orjson.dumps(document(report), option=orjson.OPT_INDENT_2).decode()
        case "markdown":
            return markdown(report, limit)
        case _:
            return shown(report, limit, color=color)
