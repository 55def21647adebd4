"""The trees in which mutants are tested: one per worker, on disk, complete except for the mutated file.

Rule 1: the first run that fails kills the mutant. Therefore the first tests to run are those that detected other
mutants of the file, then the closest, then the quick ones. No verdict depends on that order.
Rule 2: a mutant that does not compile, or that the build would reject, counts as unbuildable.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final, Literal

import msgspec
from msgspec import Struct

from gateway.authoring.mutation.mutants import Mutant
from gateway.policy.rego.impossible_literals import impossible
from gateway.policy.rego.lint_requirements import unguarded
from gateway.policy.rego.opa_cli import OpaCommand, OpaRun, complaints
from gateway.policy.rego.rego_module import Parser
from gateway.policy.rego.staged_tree import StagedTree
from gateway.policy.sources.problem import Problem

Verdict = Literal["killed", "unbuildable", "survived"]
FAILED: Final = 2
"""OPA's exit code for tests that ran and failed; 1 means that the Rego does not compile."""
_TIMEOUT: Final = "--timeout=30s"
_SLOW: Final = 0.1
"""The share of the total time above which the tests of a package run last."""


_REMEMBERED: Final = 8


class _Case(Struct, frozen=True):
    package: str
    name: str
    duration: int = 0
    fail: bool = False
    error: dict[str, object] | None = None


class Judges:
    """The packages of tests, and the tests that detected earlier mutants of each file; shared by all workers."""

    def __init__(self, quick: Iterable[str], slow: Iterable[str]) -> None:
        self._quick = tuple(quick)
        self._slow = tuple(slow)
        self._noticed: dict[str, tuple[str, ...]] = {}

    def runs(self, path: str) -> Iterator[str]:
        """Yield the patterns of the tests to run for a file, in the order of the runs."""
        noticed = self._noticed.get(path, ())
        if noticed:
            yield _alternatives(noticed, "$")
        mine = f"data.{PurePosixPath(path).parent.as_posix().replace('/', '.')}_test"
        if mine in self._quick or mine in self._slow:
            yield _alternatives([mine], "\\.")
        for packages in (self._quick, self._slow):
            others = [each for each in packages if each != mine]
            if others:
                yield _alternatives(others, "\\.")

    def notice(self, path: str, tests: Sequence[str]) -> None:
        """Store the tests that detected a mutant of a file, the last ones first."""
        known = [each for each in self._noticed.get(path, ()) if each not in tests]
        self._noticed[path] = (*tests[:2], *known)[:_REMEMBERED]


def _alternatives(names: Iterable[str], end: str) -> str:
    return f"^(?:{'|'.join(re.escape(name) for name in names)}){end}"


def tests_of(tree: StagedTree, opa: OpaCommand) -> Judges | list[Problem]:
    """Return the tests of an unmutated tree, or problems if they do not all pass."""
    chosen = tree.testing()
    if chosen is None:
        return Judges([], [])
    ran = opa.run("test", "--format=json", _TIMEOUT, *chosen, "mcp", within=tree.root)
    try:
        cases = msgspec.convert(ran.report(), list[_Case])
    except msgspec.ValidationError:
        return complaints(ran)
    if ran.code:
        return [Problem("rego", 0, "its tests fail without any mutation.", "Run `mcp-admission check` and fix them.")]
    spent: dict[str, int] = {}
    for case in cases:
        spent[case.package] = spent.get(case.package, 0) + case.duration
    slow = {package for package, took in spent.items() if took > _SLOW * sum(spent.values())}
    return Judges(sorted(spent.keys() - slow), sorted(slow))


class Worktrees:
    """The tree of one worker."""

    def __init__(self, tree: StagedTree, opa: OpaCommand, tests: Judges) -> None:
        self.root = tree.root
        self._tree = tree
        self._opa = opa
        self._tests = tests
        self._parser = Parser(opa)

    def lay(self, mutant: Mutant) -> None:
        """Write the mutated file."""
        self._write(mutant, mutant.applied(self._original(mutant)))

    def restore(self, mutant: Mutant) -> None:
        """Restore the original file."""
        self._write(mutant, self._original(mutant))

    def verdict(self, mutant: Mutant) -> Verdict:
        """Return the verdict on the mutant, whose file `lay` wrote."""
        for pattern in self._tests.runs(mutant.path):
            ran = self._opa.run("test", "--format=json", _TIMEOUT, f"--run={pattern}", "mcp", within=self.root)
            if ran.code in {FAILED, -1}:
                self._tests.notice(mutant.path, _failing(ran))
                return "killed"
            if ran.code:
                return "unbuildable"
        return "unbuildable" if self._refused(mutant) else "survived"

    def _refused(self, mutant: Mutant) -> bool:
        """Return whether the build would reject the mutated file without running it."""
        check = ("check", "--strict", "--format=json", *self._tree.checking())
        if self._opa.run(*check, "mcp", within=self.root).code:
            return True
        text = mutant.applied(self._original(mutant)).encode()
        modules, problems = self._parser.parse({mutant.path: text}, self.root)
        return bool(problems) or any([*unguarded(each), *impossible(each)] for each in modules)

    def _original(self, mutant: Mutant) -> str:
        return self._tree.sources.files[mutant.path].decode()

    def _write(self, mutant: Mutant, content: str) -> None:
        (self.root / mutant.path).write_text(content, encoding="utf-8")


def _failing(ran: OpaRun) -> list[str]:
    try:
        cases = msgspec.convert(ran.report(), list[_Case])
    except msgspec.ValidationError:
        return []
    return [f"{case.package}.{case.name}" for case in cases if case.fail or case.error is not None]
