"""`mcp-admission journal`: what was decided, and who allowed it.

Rule 1: a table for a person at a terminal, the records themselves as JSON lines for a program at the end of a pipe.
Rule 2: nothing here writes to a journal.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from gateway.cli.ending import ending
from gateway.cli.journal_export import export as exported
from gateway.cli.journal_export import keygen, options
from gateway.cli.journal_place import journal_directory, place
from gateway.cli.journal_text import call_text, statistics_text
from gateway.cli.live import colored, header, line
from gateway.cli.since import Since
from gateway.journal.follow import follow as added_to
from gateway.journal.lines import Read
from gateway.journal.query import SHOWN, Filter, Found, find, joined, select
from gateway.journal.reader import read
from gateway.journal.statistics import statistics

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _filters(function: _Command) -> _Command:
    """Add the options that say which records are meant."""
    outcomes = click.Choice(["allow", "hold", "deny", "refused"])
    for option in (
        click.option("--since", type=Since(), default=0, help="15m, 2h, 1d, or a date and time in UTC."),
        click.option("--rule", default="", help="Rule or requirement that admitted or refused."),
        click.option("--outcome", type=outcomes, default=None, help="What came of it."),
        click.option("--tool", default="", help="Tool, prompt or resource URI."),
        click.option("--server", default="", help="Server of the catalog."),
        click.option("--agent", default="", help="Registered agent."),
    ):
        function = option(function)
    return function


@click.group(
    epilog="""\b
Examples:
  mcp-admission journal tail --config settings.yaml --follow
  mcp-admission journal tail --outcome deny --since 2h
  mcp-admission journal show 3f0b6a9e
  mcp-admission journal stats --since 1d --server slack
"""
)
def command() -> None:
    """Read the journal: what was decided, why, and who allowed it."""


@command.command(
    epilog="""\b
Examples:
  mcp-admission journal tail --directory .state/journal --follow
  mcp-admission journal tail --agent support-bot --rule rules_permit | jq .reasons
"""
)
@place
@_filters
@click.option("--follow", is_flag=True, help="Go on with what is added, until ended by a signal or a closed pipe.")
@click.option("--lines", "-n", type=click.IntRange(min=0), default=50, show_default=True, help="Calls to begin with.")
def tail(directory: Path | None, config: Path | None, *, follow: bool, lines: int, **chosen: Any) -> None:
    """Show the last calls, and with --follow those that come."""
    journal = journal_directory(directory, config)
    wanted = _wanted(chosen)
    _print(joined(select(_readable(journal, wanted.since_ns), wanted), lines))
    if follow:
        with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
            asyncio.run(_follow(journal, wanted))


@command.command(
    epilog="""\b
Examples:
  mcp-admission journal show 3f0b6a9e
  mcp-admission journal show 3f0b6a9e --config settings.yaml | jq .decided.grounds
"""
)
@place
@click.argument("identifier", metavar="ID")
def show(directory: Path | None, config: Path | None, identifier: str) -> None:
    """Say who allowed a call, or why it was refused: ID is a call id or decision id, or how one begins."""
    found = find(journal_directory(directory, config), identifier)
    if not found:
        raise click.ClickException(f"No call or decision in this journal begins with {identifier!r}. Is it another's?")
    if sys.stdout.isatty():
        click.echo("\n\n".join(call_text(call, color=colored(sys.stdout)) for call in found))
        return
    for call in found:
        click.echo(orjson.dumps({"decided": call.decided, "completed": call.completed}))


@command.command(
    epilog="""\b
Examples:
  mcp-admission journal stats --since 1d
  mcp-admission journal stats --agent support-bot | jq .latencies
"""
)
@place
@_filters
def stats(directory: Path | None, config: Path | None, **chosen: Any) -> None:
    """Count calls by outcome, requirement, rule, agent and server, with latency percentiles."""
    wanted = _wanted(chosen)
    figures = statistics(select(_readable(journal_directory(directory, config), wanted.since_ns), wanted))
    if sys.stdout.isatty():
        click.echo(statistics_text(figures))
    else:
        click.echo(orjson.dumps({"counts": figures.counts, "latencies": _plain(figures.latencies)}))


@command.command(
    epilog="""\b
Examples:
  mcp-admission journal export --since 7d --to-key age1... --bundle bundle.tar.gz -o corpus.age
  mcp-admission journal export --directory .state/journal --max 2000 --to-key ci.pub -o corpus.age
"""
)
@place
@options
def export(directory: Path | None, config: Path | None, **chosen: Any) -> None:
    """Write the recorded questions, each once, as an encrypted corpus for `replay` in CI.

    Questions are alike where all but the moment within an hour of the week is the same and the same came of it.
    Secrets are masked; what `journal.masking` masked stays so (by default all that the policy in force did not read),
    and the share that can be replayed is printed.
    """
    exported(journal_directory(directory, config), **chosen)


command.add_command(keygen)


def _plain(latencies: dict[str, Any]) -> dict[str, Any]:
    return {name: {part: getattr(value, part) for part in value.__struct_fields__} for name, value in latencies.items()}


def _wanted(chosen: dict[str, Any]) -> Filter:
    return Filter(
        agent=chosen["agent"],
        server=chosen["server"],
        tool=chosen["tool"],
        outcome=chosen["outcome"] or "",
        rule=chosen["rule"],
        since_ns=chosen["since"],
    )


def _readable(directory: Path, since_ns: int) -> Iterator[Read]:
    """Return the records, and say on standard error where a line is damaged."""
    for record in read(directory, since_ns=since_ns):
        if record["kind"] == "unreadable":
            place = f"{directory / record['file']}, byte {record['offset']}"
            click.echo(f"{place}: {record['bytes']} bytes are no record; they are left out.", err=True)
        else:
            yield record


def _print(calls: Iterable[Found]) -> None:
    """Print calls as a table, or as the records that they are."""
    if not sys.stdout.isatty():
        for call in calls:
            _echo(call.decided)
            if call.completed:
                _echo(call.completed)
        return
    click.echo(header(date=True))
    for call in calls:
        click.echo(_row(call.decided, call.completed))


def _row(decided: Read, completed: Read | None) -> str:
    text = line(decided, color=colored(sys.stdout), date=True)
    return f"{text}  {completed.get('outcome', '')}" if completed else text


def _echo(record: Read) -> None:
    click.echo(orjson.dumps(record))


async def _follow(directory: Path, wanted: Filter) -> None:
    async for records in added_to(directory, ended=ending()):
        for record in select(records, wanted):
            if not sys.stdout.isatty():
                _echo(record)
            elif record["kind"] in SHOWN:
                click.echo(_row(record, None))
