"""Check Rego in stages: parsing, format, `opa check` with lint rules, tests, and coverage.

Rule 1: format and coverage are checked for files that their author can fix: stock files only if the stock library
itself is checked.
Rule 2: coverage is counted per file, so that a well-tested file does not hide another one.
Rule 3: every stage reports what it checked, so that a stage without input is visible.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.overlay import StagedSources
from gateway.policy.rego.rego_module import Parser
from gateway.policy.rego.staged_requirements import head_name
from gateway.policy.rego.staged_tree import StagedTree, failing, judged, opened
from gateway.policy.sources.problem import Problem

_NONE: Final = "--run=^$"
_WHOLE: Final = 100.0


class CheckedRego(Struct, frozen=True):
    """The result of a stage: what it checked, its problems, recommendations, details and warnings."""

    at: str
    problems: Sequence[Problem] = ()
    wishes: Sequence[Problem] = ()
    details: Sequence[str] = ()
    warnings: Sequence[Problem] = ()


class RequiredCoverage(Struct, frozen=True):
    """The minimum coverage of a file in percent; less is a problem, or, for own files, only a recommendation."""

    percent: float
    of_own_only_wished: bool = False


class RegoPosition(Struct, frozen=True):
    """A position in a file."""

    row: int


class Uncovered(Struct, frozen=True):
    """A range that tests do not reach."""

    start: RegoPosition


class Covered(Struct, frozen=True):
    """The coverage of a file by tests, in percent."""

    coverage: float = 0
    not_covered: list[Uncovered] = []


class Coverage(Struct, frozen=True):
    """OPA's coverage report."""

    files: dict[str, Covered]


def _mine(sources: StagedSources) -> frozenset[str]:
    return frozenset(sources.files.keys() - {COMBINED_REQUIREMENTS}) if sources.is_stock else sources.own


def counted(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def formatted(tree: StagedTree, opa: OpaCommand) -> CheckedRego:
    """Find the author's files that `opa fmt` would change."""
    mine = _mine(tree.sources)
    ran = opa.run("fmt", "--list", "mcp", within=tree.root)
    if ran.code:
        return CheckedRego(counted(len(mine), "file"), [Problem("rego", 0, f"cannot be formatted: {ran.said()}")])
    names = [name for name in ran.out.decode().split() if name in mine]
    remedy = "Run `opa fmt --write` on the file."
    return CheckedRego(counted(len(mine), "file"), [Problem(name, 0, "is not formatted.", remedy) for name in names])


def checked(tree: StagedTree, opa: OpaCommand) -> CheckedRego:
    """Run `opa check` with the input schema, and the lint rules for requirements."""
    parser = Parser(opa)
    problems, found = judged(tree, opa, parser)
    problems = problems or opened(tree, found, parser)
    files = counted(len(tree.sources.files), "file")
    return CheckedRego(f"{files} against the input schema, {counted(len(found), 'requirement')}", problems)


def tested(tree: StagedTree, opa: OpaCommand) -> CheckedRego:
    """Run the tests: the author's own if there are own files, else those of the stock library."""
    if tree.testing() is None:
        return CheckedRego("no tests: the repository has no own Rego")
    chosen = _mine(tree.sources)
    modules, problems = Parser(opa).parse({p: t for p, t in tree.sources.files.items() if p in chosen}, tree.root)
    names = [head_name(rule) for module in modules if module.is_test for rule in module.rules]
    tests = sum(name.startswith("test_") for name in names)
    packages = len({module.package for module in modules if module.is_test})
    at = f"{counted(tests, 'test')} of {counted(packages, 'package')}"
    return CheckedRego(at, problems or failing(tree, opa))


def covered(tree: StagedTree, opa: OpaCommand, wanted: RequiredCoverage) -> CheckedRego:
    """Find the author's files whose coverage by tests is too low."""
    mine = {name for name in _mine(tree.sources) if not name.endswith("_test.rego")}
    at = counted(len(mine), "file")
    if not mine:
        return CheckedRego("no files: the repository has no own Rego")
    chosen = tree.testing()
    common = ("--coverage", "--coverage-runs=", "--format=json", "--timeout=30s")
    ran = opa.run("test", *common, *([_NONE] if chosen is None else chosen), "mcp", within=tree.root)
    try:
        report = msgspec.convert(ran.report(), Coverage)
    except msgspec.ValidationError:
        return CheckedRego(at, [Problem("rego", 0, f"has no coverage report: {ran.said()}", "Fix the tests.")])
    files = {name: found for name, found in sorted(report.files.items()) if name in mine}
    lacking = list(_lacking(files, wanted.percent))
    only_wished = wanted.of_own_only_wished and not tree.sources.is_stock
    whole = sum(found.coverage >= _WHOLE for found in files.values())
    return CheckedRego(
        f"{at}, {whole} fully covered",
        problems=() if only_wished else lacking,
        wishes=lacking if only_wished else (),
        details=[f"{found.coverage:5.1f} %  {tree.sources.origins.get(name, name)}" for name, found in files.items()],
    )


def _lacking(files: dict[str, Covered], least: float) -> Iterator[Problem]:
    for name, found in files.items():
        if found.coverage < least:
            rows = sorted({each.start.row for each in found.not_covered})
            said = f"has a test coverage of {found.coverage:.0f} %, less than {least:.0f} %."
            missing = ", ".join(str(row) for row in rows)
            yield Problem(
                name,
                rows[0] if rows else 0,
                said,
                f"Add tests for the lines {missing}." if rows else "Add tests for it.",
            )
