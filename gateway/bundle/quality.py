"""What CI asks of Rego beyond that it builds: the one format, and tests that reach it.

Rule 1: files are judged that their author can mend: the stock's only where the stock library itself is checked.
Rule 2: coverage is counted by file, so that a well-tested neighbor hides nothing.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.bundle import combiner
from gateway.bundle.module import Parser
from gateway.bundle.problem import Problem
from gateway.bundle.stage import lay
from gateway.bundle.tool import Opa
from gateway.bundle.tree import Tree, judged, written

_NONE: Final = "--run=^$"


class Place(Struct, frozen=True):
    """A position in a file."""

    row: int


class Uncovered(Struct, frozen=True):
    """A range that no test reaches."""

    start: Place


class Covered(Struct, frozen=True):
    """How much of a file the tests reach, in percent."""

    coverage: float = 0
    not_covered: list[Uncovered] = []


class Coverage(Struct, frozen=True):
    """OPA's coverage report."""

    files: dict[str, Covered]


def shortcomings(policy: Path, library: Path, opa: Opa, *, least: float) -> list[Problem]:
    """Unformatted files, and files of which the tests reach less than `least` percent; they build already."""
    sources, _ = lay(policy, library)
    mine = frozenset(sources.files.keys() - {combiner.PATH}) if sources.is_stock else sources.own
    if not mine:
        return []
    with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
        tree = written(sources, library, Path(scratch))
        judged(tree, opa, Parser(opa))
        found = [*_unformatted(tree, opa), *_uncovered(tree, opa, least)]
    return [sources.authored(problem) for problem in found if problem.file in mine]


def _unformatted(tree: Tree, opa: Opa) -> Iterator[Problem]:
    ran = opa.run("fmt", "--list", "mcp", within=tree.root)
    for name in ran.out.decode().split():
        yield Problem(name, 0, "is not formatted.", "Run `opa fmt --write` on it.")


def _uncovered(tree: Tree, opa: Opa, least: float) -> Iterator[Problem]:
    common = ("--coverage", "--coverage-runs=", "--format=json")
    chosen = tree.testing()
    ran = opa.run("test", *common, *([_NONE] if chosen is None else chosen), "mcp", within=tree.root)
    try:
        report = msgspec.convert(ran.report(), Coverage)
    except msgspec.ValidationError:
        yield Problem("rego", 0, f"has no coverage report: {ran.said()}", "Mend the tests.")
        return
    for name, covered in sorted(report.files.items()):
        if covered.coverage < least and not name.endswith("_test.rego"):
            rows = sorted({each.start.row for each in covered.not_covered})
            said = f"is reached by its tests to {covered.coverage:.0f} %, not {least:.0f} %."
            missing = ", ".join(str(row) for row in rows)
            yield Problem(name, rows[0] if rows else 0, said, f"Test the lines {missing}." if rows else "Test it.")
