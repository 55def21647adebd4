"""The Rego of an artifact, unpacked and tested: what was packed is not taken for what was tested before.

Rule 1: the Rego is the artifact's, the tests are those that belong to it: the stock library's and the team's own.
Rule 2: the stock's tests run on the stock as the artifact carries it, a team's own on all that it carries.
Rule 3: what no test can speak for is a problem, not a gap: a foreign file, an own requirement without its tests.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

from gateway.artifact.artifact import Artifact
from gateway.artifact.bundle_data import DATA
from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.artifact.manifest import Library
from gateway.artifact.reviewed_file import REVIEWED
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.overlay import StagedSources, is_own, lay, misplaced
from gateway.policy.rego.rego_module import Parser
from gateway.policy.rego.staged_tree import failing, written
from gateway.policy.rego.stock_library import carried, deciding
from gateway.policy.sources.problem import Problem

_TEST: Final = "_test.rego"
_Files = dict[str, bytes]


class UnpackedTests(Struct, frozen=True, kw_only=True):
    """The stock library and the tests of a policy repository, against which artifacts are held."""

    library: Path
    known: Library
    stock: _Files
    own: _Files
    """The tests that are the team's own."""


def read_tests(policy: Path, library: Path) -> UnpackedTests:
    """The tests of a policy repository (the directory that may hold `rego/`) and of the stock library."""
    laid, stock = lay(policy, library)[0], lay(library, library)[0].files
    own = {path: content for path, content in laid.files.items() if path in laid.own and path.endswith(_TEST)}
    return UnpackedTests(library=library, known=carried(stock), stock=stock, own=own)


def foreign(artifact: Artifact, tests: UnpackedTests, opa: OpaCommand) -> list[Problem]:
    """What the artifact carries that is neither the stock library that it names nor a team's own Rego nor data."""
    said = artifact.manifest.metadata.library
    if said.digest != tests.known.digest:
        known = f"{tests.known.version} ({tests.known.digest[:12]})"
        told = f"carries the stock library {said.version} ({said.digest[:12]}), and {known} is installed here."
        remedy = f"Verify it with mcp-admission=={said.version}, or without its tests (--without-tests)."
        return [Problem("stock", 0, told, remedy)]
    held, stock = artifact.contents, deciding(tests.stock)
    problems = [Problem(path, 0, "is not the stock library's.") for path in stock if held.get(path) != stock[path]]
    taken = {PurePosixPath(path).parent for path in stock}
    for path in sorted(held.keys() - stock.keys() - {COMBINED_REQUIREMENTS, DATA, REVIEWED}):
        if not is_own(path) or PurePosixPath(path).parent in taken:
            remedy = "Build the bundle with `mcp-admission bundle build`."
            problems.append(Problem(path, 0, "lies where no policy is taken from.", remedy))
    return problems or _disguised({path: held[path] for path in _own(artifact, tests)}, opa)


def _disguised(own: _Files, opa: OpaCommand) -> list[Problem]:
    """Own files whose package is not that of their directory: they could speak for the stock."""
    with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
        for path, content in own.items():
            place = Path(scratch) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        modules, problems = Parser(opa).parse(own, Path(scratch))
    return problems or misplaced(modules, frozenset())


def untested(artifact: Artifact, tests: UnpackedTests) -> list[Problem]:
    """The requirements of the artifact for which no test is at hand."""
    tested = {PurePosixPath(path).parent for path in tests.own}
    own = sorted({PurePosixPath(path).parent for path in _own(artifact, tests) if "/requirements/" in path})
    remedy = "Name the policy repository that has them with --policy."
    return [Problem(str(place), 0, "has no tests here.", remedy) for place in own if place not in tested]


def failed(artifact: Artifact, tests: UnpackedTests, opa: OpaCommand) -> list[Problem]:
    """The tests that fail on the artifact's own Rego."""
    own, rego = _own(artifact, tests), _rego(artifact)
    beside = {path: content for path, content in tests.stock.items() if path.endswith(_TEST)}
    stock = {path: content for path, content in rego.items() if path not in own}
    if own:  # the stock's tests know the stock's requirements: with more of them, its decisions are others
        stock[COMBINED_REQUIREMENTS] = tests.stock[COMBINED_REQUIREMENTS]
    problems = _run(StagedSources({**stock, **beside}, {}, frozenset(), is_stock=True), tests.library, opa)
    if own:
        laid = StagedSources({**rego, **beside, **tests.own}, {}, frozenset(tests.own), is_stock=False)
        problems += _run(laid, tests.library, opa)
    return problems


def _run(sources: StagedSources, library: Path, opa: OpaCommand) -> list[Problem]:
    with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
        return failing(written(sources, library, Path(scratch)), opa)


def _rego(artifact: Artifact) -> _Files:
    return {path: content for path, content in artifact.contents.items() if path.endswith(".rego")}


def _own(artifact: Artifact, tests: UnpackedTests) -> Iterable[str]:
    return sorted(_rego(artifact).keys() - tests.stock.keys() - {COMBINED_REQUIREMENTS})
