"""Find mutants that no test detects, with several trees in parallel.

Rule 1: the sources must build and their tests must pass before anything is mutated.
Rule 2: the verdict on a mutant does not depend on the other mutants or on the worker.
Rule 3: an author's own requirements are mutated if there are any, or else the stock library if it is checked out.
"""

import random
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.authoring.mutation.absence import FailOpenFinding, openings
from gateway.authoring.mutation.environments import fixture_of
from gateway.authoring.mutation.mutants import Mutant, mutants
from gateway.authoring.mutation.oracle import Loosened, Oracle
from gateway.authoring.mutation.question_matrix import MutationEnvironment, table
from gateway.authoring.mutation.worktrees import Verdict, Worktrees, tests_of
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.overlay import StagedSources, lay
from gateway.policy.rego.rego_module import Parser
from gateway.policy.rego.staged_tree import StagedTree, judged, written
from gateway.policy.sources.problem import Problem

SEED: Final = 4

Judged = tuple[Mutant, Verdict, Loosened | None]
Told = Callable[[int, int], object]
"""A callback with the number of finished mutants, and their total."""


class Survivor(Struct, frozen=True):
    """A mutant that no test detects, with a question that it answers more loosely if one was found."""

    mutant: Mutant
    loosened: Loosened | None


class MutationReport(Struct, frozen=True, kw_only=True):
    """The results of a mutation run; `unbuildable` mutants could never be enforced and are not counted."""

    mutants: int
    unbuildable: int
    killed: int
    survivors: tuple[Survivor, ...]
    questions: int
    openings: tuple[FailOpenFinding, ...] = ()
    """The findings for own requirements that permit more if a value is missing or has another type."""

    @property
    def loosening(self) -> tuple[Survivor, ...]:
        """Return the survivors that permit a message which the original refuses."""
        return tuple(each for each in self.survivors if each.loosened is not None)


class MutationRun(Struct, frozen=True, kw_only=True):
    """A run over the files whose path contains `only`, with all of their mutants or a fixed sample of that size."""

    opa: OpaCommand
    policy: Path
    stock: Path
    bases: Sequence[MutationEnvironment]
    jobs: int
    only: str = ""
    sample: int = 0

    def run(self, told: Told) -> MutationReport | list[Problem]:
        """Return the report, or the problems that prevent a mutation of the sources."""
        sources, problems = lay(self.policy, self.stock)
        if problems:
            return problems
        with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
            trees = [written(sources, self.stock, Path(scratch) / str(job)) for job in range(self.jobs)]
            problems = [problem for tree in trees for problem in self._prepared(tree)]
            return sorted(set(problems)) or self._hunted(trees, told)

    def _prepared(self, tree: StagedTree) -> list[Problem]:
        """Combine own requirements with the stock's; the stock library already has its combiner checked in."""
        return [] if tree.sources.is_stock else judged(tree, self.opa, Parser(self.opa))[0]

    def _hunted(self, trees: Sequence[StagedTree], told: Told) -> MutationReport | list[Problem]:
        tests = tests_of(trees[0], self.opa)
        if isinstance(tests, list):
            return tests
        chosen = self._chosen(trees[0])
        fixture = fixture_of(trees[0], self.opa) if trees[0].sources.is_stock else []
        asked = table([*fixture, *self.bases], SEED)
        oracle = Oracle(self.opa, asked, trees[0].root)
        free: SimpleQueue[Worktrees] = SimpleQueue()
        for tree in trees:
            free.put(Worktrees(tree, self.opa, tests))
        results: list[Judged] = []
        with ThreadPoolExecutor(len(trees)) as pool:
            for judgment in pool.map(partial(_judged, free, oracle), chosen):
                results.append(judgment)
                told(len(results), len(chosen))
        opened = () if trees[0].sources.is_stock else openings(trees[0], self.opa, self.bases, self.only)
        return replace(_report(results, trees[0].sources, len(asked.pairs)), openings=tuple(opened))

    def _chosen(self, tree: StagedTree) -> list[Mutant]:
        sources = tree.sources
        files = sources.files if sources.is_stock else {path: sources.files[path] for path in sources.own}
        modules, _ = Parser(self.opa).parse(
            {path: text for path, text in files.items() if self.only in path}, tree.root
        )
        found = [mutant for module in modules for mutant in mutants(module, files[module.path].decode())]
        if not 0 < self.sample < len(found):
            return found
        return sorted(random.Random(SEED).sample(found, self.sample))  # noqa: S311 - a fixed sample, no secret


def _judged(free: SimpleQueue[Worktrees], oracle: Oracle, mutant: Mutant) -> Judged:
    bench = free.get()
    try:
        bench.lay(mutant)
        verdict = bench.verdict(mutant)
        return mutant, verdict, oracle.loosened(bench.root) if verdict == "survived" else None
    finally:
        bench.restore(mutant)
        free.put(bench)


def _report(results: Sequence[Judged], sources: StagedSources, questions: int) -> MutationReport:
    verdicts = [verdict for _, verdict, _ in results]
    survivors = [
        Survivor(replace(mutant, path=sources.origins.get(mutant.path, mutant.path)), loosened)
        for mutant, verdict, loosened in results
        if verdict == "survived"
    ]
    return MutationReport(
        mutants=len(results) - verdicts.count("unbuildable"),
        unbuildable=verdicts.count("unbuildable"),
        killed=verdicts.count("killed"),
        survivors=tuple(survivors),
        questions=questions,
    )
