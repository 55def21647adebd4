"""`mcp-admission test`: the stages of `check` one by one for policy authors, and mutation testing of their Rego.

Rule 1: a problem of `check` is a problem here, except low coverage of your own Rego, which is only a recommendation.
Rule 2: problems, and mutants that loosen a decision, give exit code 1. Recommendations and other survivors are shown.
"""

import os
import sys
import time
from pathlib import Path

import click

from gateway.authoring.mutation import MutationReport, MutationRun, Survivor, base_of
from gateway.cli.check import named, total
from gateway.cli.locate_opa import opa_found, remembered
from gateway.policy.checking import COVERAGE, Checking, Stage
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.rego_checks import CheckedRego, counted


@click.command(
    "test",
    short_help="Test a policy directory stage by stage, and mutate its Rego.",
    epilog="""\b
Examples:
  mcp-admission test
  mcp-admission test policies --environment production
  mcp-admission test policies --mutate
  mcp-admission test policies --mutate --only recipients --jobs 2
""",
)
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("-e", "--environment", multiple=True, help="A directory below bundles/; repeatable (default: all).")
@click.option(
    "--coverage",
    type=click.FloatRange(0, 100),
    default=COVERAGE,
    show_default=True,
    help="Recommended test coverage of each of your Rego files, in percent.",
)
@click.option("--mutate", is_flag=True, help="Also mutate the Rego in ways that a test should detect.")
@click.option("--only", default="", help="Mutate only files whose path contains this text.")
@click.option("--sample", type=click.IntRange(min=1), help="Mutate only this many places, always the same ones.")
@click.option("--jobs", type=click.IntRange(min=1), help="Mutants tested in parallel (default: one per processor).")
def command(  # noqa: PLR0913 - one parameter an option
    *,
    directory: Path,
    environment: tuple[str, ...],
    coverage: float,
    mutate: bool,
    only: str,
    sample: int | None,
    jobs: int | None,
) -> None:
    """Test the policy repository DIRECTORY (default: the working directory), and show every stage.

    The stages are those of `mcp-admission check`: the sources, `opa check` with the input schema, `opa fmt`, `opa test`
    with coverage by file, the YAML, the packed bundle in a real OPA, and the scenarios.

    With --mutate, your requirements (in a checkout, the stock library) are changed in one place at a time. A change
    that no test detects is shown; it is a failure if the real OPA then allows a message that it refused before. In
    addition, each message field that your requirements read and each document of your data is removed or given another
    type. A requirement that then permits more is a failure, unless a test states that it should.
    """
    names = named(directory, environment)
    checking = Checking(
        opa=opa_found(), state=remembered(), now=time.time(), least_coverage=coverage, own_coverage_is_wished=True
    )
    looked = [_shown(stage) for stage in checking.stages(directory, names)]
    problems = sum(len(each.problems) for each in looked)
    if mutate and not problems:
        hunt = MutationRun(
            opa=OpaCommand(checking.opa),
            policy=directory,
            stock=checking.library(),
            bases=[base_of(content) for content in checking.contents(directory, names)],
            jobs=jobs or os.cpu_count() or 1,
            only=only,
            sample=sample or 0,
        )
        problems += _mutated(hunt)
    click.echo(total(problems, sum(len(each.warnings) for each in looked)), err=True)
    if problems:
        raise SystemExit(1)


def _shown(stage: Stage) -> CheckedRego:
    """Show a stage and return its result."""
    looked = stage.looked
    mark = click.style("FAIL", fg="red") if looked.problems else click.style("ok", fg="green")
    padding = " " * (4 - len(click.unstyle(mark)))
    click.echo(f"{mark}{padding}  {stage.of:<12} {stage.name:<10} {stage.took_s:6.1f} s  {looked.at}")
    for detail in looked.details:
        click.echo(f"      {detail}")
    for wish in looked.wishes:
        click.echo(f"      recommended: {wish}")
    for warning in looked.warnings:
        click.echo(f"      {warning.as_warning}")
    for problem in looked.problems:
        click.echo(f"      {problem}")
    return looked


def _mutated(hunt: MutationRun) -> int:
    """Show the results of the mutants and return the number of problems."""
    began = time.monotonic()
    report = hunt.run(_progress if sys.stderr.isatty() else _tenths)
    if not isinstance(report, MutationReport):
        for problem in report:
            click.echo(f"      {problem}")
        return len(report)
    for survivor in report.survivors:
        _show_survivor(survivor)
    for opening in report.openings:
        word = click.style("FAILS OPEN", fg="red")
        click.echo(f"      {opening.file}:{opening.line}: {word}: {opening.words()}.")
        click.echo("        Require it in the rule, or write a test that permits this explicitly.")
    counts = (
        f"{counted(report.mutants, 'mutant')}, {report.killed} killed, {len(report.survivors)} survived, of which "
        f"{len(report.loosening)} loosened an answer ({report.questions} questions asked of each)"
    )
    counts += f", {counted(len(report.openings), 'requirement')} open" if report.openings else ""
    found = len(report.loosening) + len(report.openings)
    mark = click.style("FAIL", fg="red") if found else click.style("ok  ", fg="green")
    click.echo(f"{mark}  {'rego':<12} {'mutation':<10} {time.monotonic() - began:6.1f} s  {counts}")
    return found


def _show_survivor(survivor: Survivor) -> None:
    mutant, loosened = survivor.mutant, survivor.loosened
    word = "no test detects" if loosened is None else click.style("LOOSENS, and no test detects", fg="red")
    click.echo(f"      {mutant.path}:{mutant.line}: {word} the {mutant.change}")
    if loosened is not None:
        click.echo(f"        {loosened.words()}")


def _progress(done: int, of: int) -> None:
    click.echo(f"\r      {done} of {of} mutants tested", err=True, nl=done == of)


def _tenths(done: int, of: int) -> None:
    """Report each tenth on a separate line, for a log file."""
    if done * 10 // of > (done - 1) * 10 // of:
        click.echo(f"      {done} of {of} mutants tested", err=True)
