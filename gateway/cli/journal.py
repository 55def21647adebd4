"""`mcp-admission journal`: recorded decisions and the rules and owners behind them.

Rule 1: `tail` prints a table on a terminal, and the records as JSON lines if the output is a pipe. `show` and `stats`
print tables on a terminal and the same text in a pipe. With `--json`, each prints JSON everywhere.
Rule 2: these commands never write to a journal.
Rule 3: `tail --follow` shows each record once. A record that is added during reading is neither lost nor repeated.
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import orjson

from gateway.cli.command_end import ending
from gateway.cli.journal_arguments import arguments
from gateway.cli.journal_export import export as exported
from gateway.cli.journal_export import keygen, options
from gateway.cli.journal_filters import chosen, filters
from gateway.cli.journal_options import journal_directory, place, renamed_place
from gateway.cli.journal_schema import schema
from gateway.cli.journal_text import call_text, statistics_text
from gateway.cli.live_decisions import colored, header, line, width_of
from gateway.journal.follow import Tail
from gateway.journal.follow import follow as added_to
from gateway.journal.query import SHOWN, Filter, Selection, find, joined, select
from gateway.journal.reader import read
from gateway.journal.segment_lines import Read
from gateway.journal.statistics import statistics

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(
    epilog="""\b
Examples:
  mcp-admission journal tail --config settings.yaml --follow
  mcp-admission journal tail --outcome deny --since 2h
  mcp-admission journal tail --principal alice@example.com --conversation 4f1d
  mcp-admission journal show 3f0b6a9e
  mcp-admission journal stats --since 1d --server slack
"""
)
def command() -> None:
    """Read the journal: recorded decisions, the reasons, and the rules that allowed them."""


@command.command(
    epilog="""\b
Examples:
  mcp-admission journal tail --journal .state/journal --follow
  mcp-admission journal tail --agent support-bot --rule rules_permit | jq .reasons
"""
)
@place
@renamed_place
@filters
@click.option("--follow", is_flag=True, help="Continue with new records until a signal or a closed pipe.")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Number of past calls to show first.",
)
@_as_json
def tail(directory: Path | None, config: Path | None, *, follow: bool, lines: int, as_json: bool, **named: Any) -> None:
    """Show the last calls, and new ones with --follow."""
    journal, wanted = journal_directory(directory, config), chosen(named)
    shown = ShownRecords(journal, wanted, as_json=as_json or not sys.stdout.isatty())
    shown.last(lines)
    if follow:
        with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
            asyncio.run(shown.follow())


@command.command(
    epilog="""\b
Examples:
  mcp-admission journal show 3f0b6a9e
  mcp-admission journal show 3f0b6a9e --config settings.yaml --json | jq .decided.grounds
"""
)
@place
@renamed_place
@click.argument("identifier", metavar="ID")
@_as_json
def show(directory: Path | None, config: Path | None, identifier: str, *, as_json: bool) -> None:
    """Show who allowed a call or why it was refused. ID is a call id or decision id, or the beginning of one."""
    found = find(journal_directory(directory, config), identifier)
    if not found:
        where = "It may be in another gateway's journal."
        raise click.ClickException(f"No call or decision in this journal begins with {identifier!r}. {where}")
    if as_json:
        for call in found:
            click.echo(orjson.dumps({"decided": call.decided, "completed": call.completed}))
        return
    click.echo("\n\n".join(call_text(call, color=colored(sys.stdout), width=width_of(sys.stdout)) for call in found))


@command.command(
    epilog="""\b
Examples:
  mcp-admission journal stats --since 1d
  mcp-admission journal stats --agent support-bot --json | jq .latencies
"""
)
@place
@renamed_place
@filters
@_as_json
def stats(directory: Path | None, config: Path | None, *, as_json: bool, **named: Any) -> None:
    """Count calls by outcome, requirement, rule, agent and server, with latency percentiles."""
    wanted = chosen(named)
    figures = statistics(select(_readable(journal_directory(directory, config), wanted.since_ns), wanted))
    if as_json:
        click.echo(orjson.dumps({"counts": figures.counts, "latencies": _plain(figures.latencies)}))
    else:
        click.echo(statistics_text(figures, width=width_of(sys.stdout)))


@command.command(
    epilog="""\b
Examples:
  mcp-admission journal export --since 7d --to-key age1... --bundle bundle.tar.gz -o corpus.age
  mcp-admission journal export --journal .state/journal --max 2000 --to-key ci.pub -o corpus.age
"""
)
@place
@renamed_place
@options
def export(directory: Path | None, config: Path | None, **named: Any) -> None:
    """Write the recorded questions, each once, to an encrypted corpus for `replay` in CI.

    Two questions count as the same if only their time differs, within the same hour of the week, and the decision is
    the same. Secrets are masked. Values that `journal.masking` masked stay masked (by default, all that the policy in
    force did not read). The command prints the share that can be replayed.
    """
    exported(journal_directory(directory, config), **named)


command.add_command(keygen)
command.add_command(schema)
command.add_command(arguments)


def _plain(latencies: dict[str, Any]) -> dict[str, Any]:
    return {name: {part: getattr(value, part) for part in value.__struct_fields__} for name, value in latencies.items()}


class ShownRecords:
    """The selected records, each shown once: first the last ones, then new ones."""

    def __init__(self, journal: Path, wanted: Filter, *, as_json: bool) -> None:
        """Record the end of the journal before anything is read."""
        self._journal: Final = journal
        self._since_ns: Final = wanted.since_ns
        self._selection: Final = Selection(wanted)
        self._added: Final = Tail(journal)
        self._read: Final[dict[str, int]] = {}
        self._as_json: Final = as_json

    def last(self, most: int) -> None:
        """Show the last calls, each with its completion if it has one."""
        calls = joined(self._selection.of(self._remembered()), most)
        if not self._as_json:
            click.echo(header(date=True))
        for call in calls:
            self._show(call.decided, call.completed)

    async def follow(self) -> None:
        """Show new records."""
        async for records in added_to(self._journal, tail=self._added, ended=ending()):
            for record in self._selection.of(record for record in records if self._new(record)):
                self._show(record, None)

    def _remembered(self) -> Iterator[Read]:
        for record in _readable(self._journal, self._since_ns):
            self._read[record["writer"]] = record["sequence"]
            yield record

    def _new(self, record: Read) -> bool:
        """Return whether a record was not among the last ones; report a damaged line."""
        if record["kind"] == "unreadable":
            _damaged(self._journal, record)
            return False
        return record["sequence"] > self._read.get(record["writer"], 0)

    def _show(self, record: Read, completed: Read | None) -> None:
        if self._as_json:
            click.echo(orjson.dumps(record))
            if completed:
                click.echo(orjson.dumps(completed))
        elif record["kind"] in SHOWN:
            outcome = str(completed.get("outcome", "")) if completed else ""
            click.echo(line(record, color=colored(sys.stdout), date=True, width=width_of(sys.stdout), ended=outcome))


def _readable(directory: Path, since_ns: int) -> Iterator[Read]:
    """Return the records, and report damaged lines on standard error."""
    for record in read(directory, since_ns=since_ns):
        if record["kind"] == "unreadable":
            _damaged(directory, record)
        else:
            yield record


def _damaged(directory: Path, record: Read) -> None:
    where = f"{directory / record['file']}, byte {record['offset']}"
    click.echo(f"{where}: {record['bytes']} bytes are not a valid record and were skipped.", err=True)
