"""The staged tree on disk, and all checks of it.

Rule 1: OPA reads the tree from its root, so that it reports the staged paths.
Rule 2: if a policy repository adds its own Rego, only its own tests are run, not those of the stock library.
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
from gateway.policy.rego.staged_requirements import Reads, RequirementDirectory, discover, incomplete
from gateway.policy.sources.problem import Problem


class StagedTree(Struct, frozen=True):
    """Sources written to disk for OPA: `root/mcp`, the capabilities and the input schema."""

    root: Path
    sources: StagedSources

    def checking(self) -> list[str]:
        """Return the arguments for every check of this tree."""
        return ["--capabilities=capabilities.json", "--schema=input.json"]

    def testing(self) -> list[str] | None:
        """Return the arguments that select the tests; None if the sources have none to run."""
        if self.sources.is_stock:
            return []
        own = {PurePosixPath(path).parent.as_posix() for path in self.sources.own if path.endswith("_test.rego")}
        packages = "|".join(re.escape(directory.replace("/", ".")) for directory in sorted(own))
        return [f"--run=^data\\.(?:{packages})_test\\."] if own else None


def written(sources: StagedSources, library: Path, root: Path) -> StagedTree:
    """Write the sources to disk for OPA, and return the tree."""
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
    """Return the problems found without evaluation, and the requirements; write a combiner with all as varying."""
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
    """Return the lines of the author's requirements that fail open; `judged` must have accepted the tree."""
    own = {path: content for path, content in tree.sources.files.items() if path in tree.sources.own}
    modules, problems = parser.parse(own, tree.root) if own else ([], [])
    return problems or fail_open(found, modules)


def _with_caller(
    found: RequirementDirectory, modules: Sequence[Module], sources: StagedSources
) -> RequirementDirectory:
    """Return the requirement with its reads of the caller; stock requirements handle unknown claims themselves."""
    if found.place not in sources.own:
        return found
    own: dict[str, list[Module]] = {}
    for module in modules:
        if module.path in sources.own and not module.is_test:
            own.setdefault(module.package, []).append(module)
    return replace(found, caller=caller_reads(found.modules, own))


def combine(tree: StagedTree, found: Sequence[RequirementDirectory], reads: Mapping[str, Reads]) -> str:
    """Write the generated half of the combiner for these requirements into the tree, and return it."""
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
    """Run the tests and return those that fail; a run with an invalid report fails as a whole."""
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
    return f"Error: {case.error.get('message', case.error)}." if case.error else "Fix the policy or the test."
