"""`mcp-admission check`: every check that CI runs on a policy repository, in one command.

Rule 1: every problem is printed on one line with file and line. Any problem gives exit code 1; warnings alone do not.
"""

import time
from pathlib import Path

import click

from gateway.cli.locate_opa import opa_found, remembered
from gateway.policy.checking import COVERAGE, Checked, Checking, Summary, environments
from gateway.policy.rego.rego_checks import counted

_OF_KINDS = (
    "`kind` is the client that the agent is registered with; it does not prove which program uses the credential."
)


@click.command(
    "check",
    short_help="Check a policy directory: sources, data, tests, scenarios.",
    epilog="""\b
Examples:
  mcp-admission check
  mcp-admission check policies --environment production
  mcp-admission check policies --coverage 90
""",
)
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("-e", "--environment", multiple=True, help="A directory below bundles/; repeatable (default: all).")
@click.option(
    "--coverage",
    type=click.FloatRange(0, 100),
    default=COVERAGE,
    show_default=True,
    help="Lowest test coverage of each of your Rego files, in percent.",
)
def command(directory: Path, environment: tuple[str, ...], coverage: float) -> None:
    """Check the policy repository DIRECTORY (default: the working directory).

    The command checks the YAML against the data schemas; your Rego, together with the stock library, with `opa check`,
    `opa fmt`, `opa test` and coverage; the inputs that requirements may read and the way they must be written; the
    packed bundle in a real OPA; and every scenario in bundles/<environment>/scenarios/.
    """
    names = named(directory, environment)
    checking = Checking(opa=opa_found(), state=remembered(), now=time.time(), least_coverage=coverage)
    checked = checking.check(directory, names)
    _show(checked)
    if checked.problems:
        raise SystemExit(1)


def _show(checked: Checked) -> None:
    for problem in checked.problems:
        click.echo(str(problem))
    for warning in checked.warnings:
        click.echo(warning.as_warning)
    for summary in checked.summaries:
        click.echo(f"{summary.environment}: {_counted(summary)}", err=True)
        if summary.by_kind:
            click.echo(f"{summary.environment}: {counted(summary.by_kind, 'rule')} by kind. {_OF_KINDS}", err=True)
    click.echo(total(len(checked.problems), len(checked.warnings)), err=True)


def total(problems: int, warnings: int = 0) -> str:
    """Return the last line of a report."""
    said = counted(problems, "problem") if problems else "no problems"
    return f"{said}, {counted(warnings, 'warning')}" if warnings else said


def named(directory: Path, environment: tuple[str, ...]) -> list[str]:
    """Return the named environments, or all if none is named; end the command if there are none."""
    names = list(environment) or environments(directory)
    if not names:
        raise click.ClickException(
            f"{directory / 'bundles'} contains no environment: create one with `mcp-admission init`."
        )
    return names


def _counted(summary: Summary) -> str:
    counts = {
        "requirement": summary.requirements,
        "server": summary.servers,
        "agent": summary.agents,
        "rule": summary.rules,
        "scenario": summary.scenarios,
    }
    return ", ".join(counted(count, noun) for noun, count in counts.items())
