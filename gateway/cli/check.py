"""`mcp-admission check`: everything that CI asks of a policy repository, in one command.

Rule 1: every problem is printed, one a line, with file and line; any problem is exit code 1, warnings alone are not.
"""

import time
from pathlib import Path

import click

from gateway.cli.locate_opa import opa_found, remembered
from gateway.policy.checking import COVERAGE, Checked, Checking, Summary, environments
from gateway.policy.rego.rego_checks import counted

_OF_KINDS = (
    "`kind` is what the agent of the credential is registered as; it does not prove which program uses the credential."
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
@click.option("-e", "--environment", multiple=True, help="Below bundles/; all of them if not given.")
@click.option(
    "--coverage",
    type=click.FloatRange(0, 100),
    default=COVERAGE,
    show_default=True,
    help="Least percentage of each of your Rego files that its tests reach.",
)
def command(directory: Path, environment: tuple[str, ...], coverage: float) -> None:
    """Check the policy repository DIRECTORY (the working directory if not given).

    Its YAML against the data schemas; its Rego with `opa check`, `opa fmt`, `opa test` and coverage, laid over the
    stock library; what requirements may read and how they must be written; the packed bundle in a real OPA; and every
    scenario in bundles/<environment>/scenarios/.
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
    """The last line of a report."""
    said = counted(problems, "problem") if problems else "no problems"
    return f"{said}, {counted(warnings, 'warning')}" if warnings else said


def named(directory: Path, environment: tuple[str, ...]) -> list[str]:
    """The environments to look at: those that were asked for, else all; none at all ends the command."""
    names = list(environment) or environments(directory)
    if not names:
        raise click.ClickException(f"{directory / 'bundles'} holds no environment: `mcp-admission init` makes one.")
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
