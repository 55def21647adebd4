"""`mcp-admission bundle build`: the bundle of one environment as an unsigned file that CI can compare and sign.

Rule 1: the same sources, commit, --built and --sequence give the same bytes.
Rule 2: a bundle that a real OPA cannot load is never written.
Rule 3: a commit is recorded only if the sources are as committed. Otherwise the bundle and stderr list the differences.
"""

import os
import re
import time
from pathlib import Path
from typing import Final

import click

from gateway.artifact.manifest import moment_of
from gateway.cli.bundle.checkout import Checkout, checkout, sources
from gateway.cli.bundle.files import put
from gateway.cli.live_decisions import escaped
from gateway.cli.locate_opa import opa_found, remembered
from gateway.policy.build import Builder, BuildStamp, Content, PolicySource, issued
from gateway.policy.sources.problem import Problems, refusal

DAYS: Final = 90
_EPOCH: Final = "SOURCE_DATE_EPOCH"
_NS: Final = 1_000_000_000
_TIMES: Final = range(946_684_800, 4_102_444_800)
"""From 2000 to 2099, as everywhere in policy data."""


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> int:
    """Return the build time in Unix seconds: the option, else the variable for reproducible builds, else now."""
    if value is not None:
        moment = moment_of(value)
        if moment is None or moment // _NS not in _TIMES:
            raise click.BadParameter(f"`{value}` is not a valid time: write it as 2026-11-20T23:00:00Z.", ctx, param)
        return moment // _NS
    epoch = os.environ.get(_EPOCH, "") or str(int(time.time()))
    if not re.fullmatch("[0-9]{1,10}", epoch) or int(epoch) not in _TIMES:
        raise click.ClickException(f"{_EPOCH} is {epoch!r}: set it to seconds since 1970, or unset it.")
    return int(epoch)


@click.command(
    "build",
    short_help="Build the unsigned policy bundle of an environment.",
    epilog="""\b
Examples:
  mcp-admission bundle build production -o bundle.tar.gz
  mcp-admission bundle build production --policy policies --built 2026-11-20T23:00:00Z -o again.tar.gz
""",
)
@click.argument("environment")
@click.option(
    "-d",
    "--policy",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The policy repository (default: the working directory).",
)
@click.option("--built", callback=_moment, help=f"Build time (default: ${_EPOCH}, else now).")
@click.option(
    "--sequence",
    type=click.IntRange(1, 10**18 - 1),
    help="Sequence number, higher than that of every published bundle (default: the build time in Unix seconds).",
)
@click.option(
    "--not-after-days",
    type=click.IntRange(1, 3650),
    default=DAYS,
    show_default=True,
    help="Days until the bundle expires and gateways refuse it.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
def command(environment: str, policy: Path, built: int, output: Path, **numbers: int | None) -> None:
    """Build the bundle of ENVIRONMENT (a directory below bundles/) from a policy repository into a file.

    The bundle is first checked and loaded by a real OPA. If the repository is a git checkout, the bundle records the
    commit and its author. Every file that was read is compared with the commit: if any differs, the differences are
    listed and the commit is marked `-dirty`. Gateways refuse a bundle whose sequence number is lower than one that they
    have enforced. The revision is printed.
    """
    read = sources(policy, environment)
    content = _content(PolicySource(policy, environment), built)
    if isinstance(content, Problems):
        for problem in content.problems:
            click.echo(str(problem), err=True)
        raise SystemExit(1)
    for warning in content.warnings:
        click.echo(warning.as_warning, err=True)
    if sources(policy, environment) != read:
        raise click.ClickException("The policy changed during the build. Build it again.")
    origin = checkout(policy, environment, read)
    _tell(origin)
    terms = BuildStamp(
        seq=numbers["sequence"] or built,
        built=built,
        days=numbers["not_after_days"],
        commit=origin.commit,
        author=origin.author,
    )
    packed = issued(content, terms)
    put(output, packed.content)
    click.echo(packed.revision)


def _content(source: PolicySource, built: int) -> Content | Problems:
    builder = Builder(remembered(), opa_found())
    content = builder.content(source, built)
    if not isinstance(content, Problems) and (unloadable := builder.rehearse(content)):
        return refusal(unloadable)
    return content


def _tell(origin: Checkout) -> None:
    if origin.unknown:
        click.echo(f"The commit is not recorded: {origin.unknown}", err=True)
    elif origin.changed:
        click.echo(f"Recorded as {origin.commit}. These files differ from the commit:", err=True)
        for each in origin.changed:
            click.echo(f"  {escaped(each.path)}: {escaped(each.why)}", err=True)
    else:
        click.echo(f"commit {origin.commit} by {origin.author}", err=True)
