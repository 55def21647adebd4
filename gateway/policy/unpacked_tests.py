"""Unpack and test the Rego of an artifact, because the packed Rego may differ from the Rego that was tested before.

Rule 1: the Rego comes from the artifact. The tests come from the stock library and the team's policy repository.
Rule 2: the stock tests run on the artifact's stock files, the team's own tests on all of its Rego.
Rule 3: Rego that tests cannot cover is a problem: an unknown file, or an own requirement without its tests.
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
from gateway.artifact.reviewed_texts_file import REVIEWED
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.overlay import StagedSources, is_own, lay, misplaced
from gateway.policy.rego.rego_module import Parser
from gateway.policy.rego.staged_tree import failing, written
from gateway.policy.rego.stock_library_version import carried, deciding
from gateway.policy.sources.problem import Problem

_TEST: Final = "_test.rego"
_Files = dict[str, bytes]


class UnpackedTests(Struct, frozen=True, kw_only=True):
    """The stock library and the tests of a policy repository, for the verification of artifacts."""

    library: Path
    known: Library
    stock: _Files
    own: _Files
    """The team's own tests."""


def read_tests(policy: Path, library: Path) -> UnpackedTests:
    """Read the tests of a policy repository (the directory that may have `rego/`) and of the stock library."""
    laid, stock = lay(policy, library)[0], lay(library, library)[0].files
    own = {path: content for path, content in laid.files.items() if path in laid.own and path.endswith(_TEST)}
    return UnpackedTests(library=library, known=carried(stock), stock=stock, own=own)


def foreign(artifact: Artifact, tests: UnpackedTests, opa: OpaCommand) -> list[Problem]:
    """Return the files of the artifact that are not from its stock library, not a team's own Rego and not data."""
    said = artifact.manifest.metadata.library
    if said.digest != tests.known.digest:
        known = f"{tests.known.version} ({tests.known.digest[:12]})"
        what = f"carries the stock library {said.version} ({said.digest[:12]}), but {known} is installed here."
        remedy = f"Verify it with mcp-admission=={said.version}, or without its tests (--without-tests)."
        return [Problem("stock", 0, what, remedy)]
    held, stock = artifact.contents, deciding(tests.stock)
    problems = [Problem(path, 0, "differs from the stock library.") for path in stock if held.get(path) != stock[path]]
    taken = {PurePosixPath(path).parent for path in stock}
    for path in sorted(held.keys() - stock.keys() - {COMBINED_REQUIREMENTS, DATA, REVIEWED}):
        if not is_own(path) or PurePosixPath(path).parent in taken:
            remedy = "Build the bundle with `mcp-admission bundle build`."
            problems.append(Problem(path, 0, "is outside the policy directories.", remedy))
    return problems or _disguised({path: held[path] for path in _own(artifact, tests)}, opa)


def _disguised(own: _Files, opa: OpaCommand) -> list[Problem]:
    """Return own files whose package differs from their directory: they could change the stock policy."""
    with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
        for path, content in own.items():
            place = Path(scratch) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        modules, problems = Parser(opa).parse(own, Path(scratch))
    return problems or misplaced(modules, frozenset())


def untested(artifact: Artifact, tests: UnpackedTests) -> list[Problem]:
    """Return the own requirements of the artifact without tests in the policy repository."""
    tested = {PurePosixPath(path).parent for path in tests.own}
    own = sorted({PurePosixPath(path).parent for path in _own(artifact, tests) if "/requirements/" in path})
    remedy = "Use --policy to name the policy repository with its tests."
    return [Problem(str(place), 0, "has no tests here.", remedy) for place in own if place not in tested]


def failed(artifact: Artifact, tests: UnpackedTests, opa: OpaCommand) -> list[Problem]:
    """Run the tests on the artifact's Rego and return those that fail."""
    own, rego = _own(artifact, tests), _rego(artifact)
    tested = {path: content for path, content in tests.stock.items() if path.endswith(_TEST)}
    stock = {path: content for path, content in rego.items() if path not in own}
    if own:  # the stock tests expect exactly the stock requirements
        stock[COMBINED_REQUIREMENTS] = tests.stock[COMBINED_REQUIREMENTS]
    problems = _run(StagedSources({**stock, **tested}, {}, frozenset(), is_stock=True), tests.library, opa)
    if own:
        laid = StagedSources({**rego, **tested, **tests.own}, {}, frozenset(tests.own), is_stock=False)
        problems += _run(laid, tests.library, opa)
    return problems


def _run(sources: StagedSources, library: Path, opa: OpaCommand) -> list[Problem]:
    with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
        return failing(written(sources, library, Path(scratch)), opa)


def _rego(artifact: Artifact) -> _Files:
    return {path: content for path, content in artifact.contents.items() if path.endswith(".rego")}


def _own(artifact: Artifact, tests: UnpackedTests) -> Iterable[str]:
    return sorted(_rego(artifact).keys() - tests.stock.keys() - {COMBINED_REQUIREMENTS})
