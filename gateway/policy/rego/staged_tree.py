"""The staged tree on disk, and everything that is refused in it.

Rule 1: OPA reads the tree from its root, so that the files it names are the staged ones.
Rule 2: where a policy repository lays its own Rego over the stock, its own tests are run: the stock's are the stock's.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.policy.rego import combiner
from gateway.policy.rego.caller_reads import caller_reads
from gateway.policy.rego.combiner import CombinedRequirement, is_standing
from gateway.policy.rego.fail_open import fail_open
from gateway.policy.rego.impossible_literals import impossible
from gateway.policy.rego.input_schema import input_schema_text
from gateway.policy.rego.lint_requirements import dangerous, malformed, unguarded
from gateway.policy.rego.opa_cli import OpaCommand, complaints
from gateway.policy.rego.overlay import StagedSources, misplaced
from gateway.policy.rego.rego_module import Module, Parser
from gateway.policy.rego.requirements import Reads, RequirementDirectory, discover, incomplete
from gateway.policy.sources.problem import Problem


class StagedTree(Struct, frozen=True):
    """Sources written out for OPA: `root/mcp` beside the capabilities and the input schema."""

    root: Path
    sources: StagedSources

    def checking(self) -> list[str]:
        """The arguments that every check of this tree has."""
        return ["--capabilities=capabilities.json", "--schema=input.json"]

    def testing(self) -> list[str] | None:
        """The arguments that choose the tests to run; None where there are none to run."""
        if self.sources.is_stock:
            return []
        own = {PurePosixPath(path).parent.as_posix() for path in self.sources.own if path.endswith("_test.rego")}
        packages = "|".join(re.escape(directory.replace("/", ".")) for directory in sorted(own))
        return [f"--run=^data\\.(?:{packages})_test\\."] if own else None


def written(sources: StagedSources, library: Path, root: Path) -> StagedTree:
    """The sources on disk, ready for OPA."""
    for path, content in sources.files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (root / "capabilities.json").write_bytes((library / "capabilities.json").read_bytes())
    (root / "input.json").write_bytes(input_schema_text())
    return StagedTree(root, sources)


_OF_REQUIREMENTS: Final[tuple[Callable[[RequirementDirectory], Iterable[Problem]], ...]] = (
    incomplete,
    malformed,
    dangerous,
)
_OF_MODULES: Final[tuple[Callable[[Module], Iterable[Problem]], ...]] = (unguarded, impossible)


def judged(tree: StagedTree, opa: OpaCommand, parser: Parser) -> tuple[list[Problem], list[RequirementDirectory]]:
    """What is refused without running anything, and the requirements; leaves a combiner to which all are varying."""
    modules, problems = parser.parse(tree.sources.files, tree.root)
    if problems:
        return problems, []
    problems = misplaced(modules, tree.sources.own)
    found = [_with_caller(each, modules, tree.sources) for each in discover(modules)]
    problems += [problem for each in found for check in _OF_REQUIREMENTS for problem in check(each)]
    problems += [problem for each in modules if not each.is_test for check in _OF_MODULES for problem in check(each)]
    combine(tree, found, {})
    problems += complaints(
        opa.run("check", "--strict", "--format=json", "--max-errors=0", *tree.checking(), "mcp", within=tree.root)
    )
    return problems, found


def opened(tree: StagedTree, found: Sequence[RequirementDirectory], parser: Parser) -> list[Problem]:
    """Where the author's requirements permit because something is missing; the tree was judged before."""
    own = {path: content for path, content in tree.sources.files.items() if path in tree.sources.own}
    modules, problems = parser.parse(own, tree.root) if own else ([], [])
    return problems or fail_open(found, modules)


def _with_caller(
    found: RequirementDirectory, modules: Sequence[Module], sources: StagedSources
) -> RequirementDirectory:
    """The requirement with what it reads of the caller; the stock's own judge unknown claims themselves."""
    if found.place not in sources.own:
        return found
    own: dict[str, list[Module]] = {}
    for module in modules:
        if module.path in sources.own and not module.is_test:
            own.setdefault(module.package, []).append(module)
    return replace(found, caller=caller_reads(found.modules, own))


def combine(tree: StagedTree, found: Sequence[RequirementDirectory], reads: Mapping[str, Reads]) -> str:
    """The generated half of the combiner over these requirements, which is written into the tree."""
    text = combiner.combined(
        CombinedRequirement(
            each.name,
            by_arguments=bool(each.rules("met_by_arguments")),
            standing=each.name in reads and is_standing(reads[each.name]["met"]),
            caller=each.caller,
        )
        for each in found
    )
    place = tree.root / COMBINED_REQUIREMENTS
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return text


class _TestCase(Struct, frozen=True):
    name: str
    location: dict[str, str | int]
    fail: bool = False
    error: dict[str, object] | None = None
    skip: bool = False


def failing(tree: StagedTree, opa: OpaCommand) -> list[Problem]:
    """The tests that fail; a run that cannot be read fails as a whole."""
    chosen = tree.testing()
    if chosen is None:
        return []
    common = ("--format=json", "--capabilities=capabilities.json", "--timeout=30s")
    ran = opa.run("test", *common, *chosen, "mcp", within=tree.root)
    try:
        cases = msgspec.convert(ran.report(), list[_TestCase])
    except msgspec.ValidationError:
        return complaints(ran)
    problems = [_failed(case) for case in cases if case.fail or case.error is not None]
    return problems or complaints(ran)


def _failed(case: _TestCase) -> Problem:
    file, row = str(case.location["file"]), int(case.location["row"])
    return Problem(file, row, f"the test {case.name} fails.", _why(case))


def _why(case: _TestCase) -> str:
    return f"It ended in: {case.error.get('message', case.error)}." if case.error else "Mend the policy or the test."
