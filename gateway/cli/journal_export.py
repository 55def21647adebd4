"""`mcp-admission journal export` and `keygen`: a corpus of recorded questions, encrypted so that only CI can read it.

Rule 1: the corpus is always encrypted; there is not an option for plain text.
Rule 2: the output states the share that can be replayed, for each requirement of the bundle in force.
"""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.bundle_options import NamedBundle, bundle_options, reviewed
from gateway.cli.start_times import Since
from gateway.durable_files import replace
from gateway.journal.encryption import KeyFault, Recipients, encrypted, new_key, recipients
from gateway.review.corpus import Corpus
from gateway.review.decision_sources import SourceError, environments, rows
from gateway.review.masked_fields import Readings
from gateway.review.recorded_decision import WHY
from gateway.review.replay_coverage import ReplayCoverage, shares

_OUTPUT: Final = click.Path(dir_okay=False, path_type=Path)


def _to(ctx: click.Context, param: click.Parameter, value: str) -> Recipients:
    found = recipients(value)
    if isinstance(found, KeyFault):
        raise click.BadParameter(f"{found.why}.", ctx, param)
    return found


def options(function: Any) -> Any:
    """Add the options of `export`, except those that choose the journal."""
    for option in (
        click.option("-o", "--output", type=_OUTPUT, required=True, help="File to write."),
        click.option(
            "--to-key",
            "to",
            required=True,
            callback=_to,
            help="Public key of age or SSH, or a file of such keys. The private key decrypts the corpus.",
        ),
        click.option(
            "--max",
            "most",
            type=click.IntRange(min=1),
            default=10_000,
            show_default=True,
            help="Maximum number of questions.",
        ),
        click.option(
            "--any-hour",
            is_flag=True,
            help="Ignore the hour when comparing questions; rules about hours may then decide differently.",
        ),
        click.option("--since", type=Since(), default=0, help="15m, 2h, 1d, or a date and time in UTC."),
        bundle_options,
    ):
        function = option(function)
    return function


def export(  # noqa: PLR0913 - one parameter an option
    journal: Path, *, since: int, most: int, any_hour: bool, to: Recipients, output: Path, **named: Any
) -> None:
    """Write the corpus and print its contents."""
    bundled = NamedBundle(bundle=named["bundle"], policy=named["policy"], environment=named["environment"])
    readings = (
        None
        if bundled.bundle is bundled.policy is None
        else Readings(reviewed(bundled, partial(_environments, journal, since)).data)
    )
    corpus = Corpus(most, any_hour=any_hour)
    try:
        for item in rows([journal], since_ns=since):
            corpus.add(item)
    except SourceError as error:
        raise click.ClickException(str(error)) from error
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    _write(output, encrypted(corpus.packed(made), to))
    for line in (*_told(corpus, made, output), *_shared(corpus, readings)):
        click.echo(line)


def _environments(journal: Path, since: int) -> set[str]:
    try:
        return environments([journal], since_ns=since)
    except SourceError as error:
        raise click.ClickException(str(error)) from error


def _shared(corpus: Corpus, readings: Readings | None) -> Iterator[str]:
    if readings is None:
        yield "Give the bundle in force (--bundle or --policy) to see the replayable share of each requirement."
    else:
        yield from _shown(shares([*corpus.rows(), *corpus.left()], readings), readings.arguments())


def _told(corpus: Corpus, made: str, output: Path) -> Iterator[str]:
    head = corpus.head(made)
    yield f"{output}: {head.rows:,} questions for {head.decisions:,} decisions"
    if head.dropped:
        yield f"  {head.dropped:>10,}  decisions left out: their questions were the oldest beyond --max"
    for left in sorted(corpus.left(), key=lambda left: left.why):
        yield f"  {left.count:>10,}  {WHY[left.why]}"


def _shown(found: list[ReplayCoverage], compared: list[str]) -> Iterator[str]:
    yield "replayable:"
    for share in found:
        part = share.replayable / share.decisions if share.decisions else 0
        name = share.requirement or "(whole decisions)"
        yield f"  {part:>9.1%}  {share.replayable:>9,} of {share.decisions:,}  {name}"
    if compared and found[-1].replayable < found[-1].decisions:
        kept = ", ".join(compared)
        yield f"The rules compare these arguments: {kept}. A masked journal keeps the arguments that the"
        yield "policy in force reads, unless journal.keep_read is off. journal.keep_arguments keeps more."


def _write(path: Path, content: bytes) -> None:
    """Write the file in one step or not at all, readable by its owner only."""
    try:
        replace(path, content)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror or error}.") from error


@click.command(
    "keygen",
    epilog="""\b
Examples:
  mcp-admission journal keygen -o ci.key
  mcp-admission journal export --since 7d --to-key "$(mcp-admission journal keygen -o ci.key)" -o corpus.age
""",
)
@click.option("-o", "--output", type=_OUTPUT, required=True, help="File for the private key; it must not exist.")
def keygen(output: Path) -> None:
    """Create a key pair for corpora: the private key goes to a file, the public key is printed."""
    if output.exists():
        raise click.ClickException(f"{output} already exists. A private key is never overwritten: name another file.")
    pair = new_key()
    _write(output, f"# public key: {pair.public}\n{pair.private}\n".encode())
    click.echo(pair.public)
