"""The staged Rego of a policy repository, verified: the half of a bundle that changes rarely.

Rule 1: everything that is refused is found on the staged tree, and told in terms of the author's files.
Rule 2: what was verified is remembered by content, in memory and in the state directory, so that a saved YAML file
does not verify the Rego again.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.bundle import combiner
from gateway.bundle.combiner import Combined
from gateway.bundle.forms import dangerous, malformed, unguarded
from gateway.bundle.input_schema import input_schema_text
from gateway.bundle.literals import impossible
from gateway.bundle.module import Module, parse
from gateway.bundle.problem import Problem
from gateway.bundle.requirements import (
    Found,
    Requirement,
    described,
    discover,
    incomplete,
    overreaching,
    read_sets,
)
from gateway.bundle.stage import Sources, lay, misplaced
from gateway.bundle.tool import Opa, complaints


class Policies(Struct, frozen=True):
    """Verified Rego: what is packed, and what the bundle says about each requirement."""

    files: Mapping[str, bytes]
    requirements: Mapping[str, Requirement]


class Remembered(Struct, frozen=True):
    """What verification found out: what follows from the sources and is kept beside their digest."""

    requirements: dict[str, Requirement]
    combiner: str


class Tree(Struct, frozen=True):
    """Sources written out for OPA: `root/mcp` beside the capabilities and the input schema."""

    root: Path
    sources: Sources

    def checking(self) -> list[str]:
        """The arguments that every check of this tree has."""
        return ["--capabilities=capabilities.json", "--schema=input.json"]


class Verifier:
    """Verifies staged Rego; remembers what it has verified."""

    def __init__(self, opa: Opa, state: Path) -> None:
        self._opa = opa
        self._kept = state / "verified"
        self._known: dict[str, Policies] = {}

    def verified(self, policy: Path, library: Path) -> Policies | list[Problem]:
        """The policies of the repository, or everything that is refused in them."""
        sources, problems = lay(policy, library)
        if problems:
            return problems
        identity = self._identity(sources, library)
        if identity not in self._known:
            remembered = self._remembered(identity) or self._verify(sources, library)
            if isinstance(remembered, list):
                return remembered
            self._remember(identity, remembered)
            self._known = {identity: _policies(sources, remembered)}
        return self._known[identity]

    def _identity(self, sources: Sources, library: Path) -> str:
        digest = hashlib.sha256(_own_code())
        binary = self._opa.path.stat()
        digest.update(f"{self._opa.path} {binary.st_size} {binary.st_mtime_ns}\n".encode())
        for name in sorted(sources.files):
            own = name in sources.own
            digest.update(f"{name} {own} {hashlib.sha256(sources.files[name]).hexdigest()}\n".encode())
        digest.update((library / "capabilities.json").read_bytes())
        return digest.hexdigest()

    def _remembered(self, identity: str) -> Remembered | None:
        try:
            content = (self._kept / f"{identity}.json").read_bytes()
            return msgspec.json.decode(content, type=Remembered)
        except (OSError, msgspec.DecodeError):
            return None

    def _remember(self, identity: str, remembered: Remembered) -> None:
        self._kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._kept, delete=False) as scratch:
            scratch.write(msgspec.json.encode(remembered))
        Path(scratch.name).replace(self._kept / f"{identity}.json")

    def _verify(self, sources: Sources, library: Path) -> Remembered | list[Problem]:
        with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
            tree = written(sources, library, Path(scratch))
            problems, found = judged(tree, self._opa)
            if problems:
                return [sources.authored(problem) for problem in problems]
            with ThreadPoolExecutor(1) as beside:
                tests = beside.submit(failing, tree, self._opa)
                reads = read_sets(found, self._opa, tree.root)
            problems = [problem for each in found for problem in overreaching(each, reads[each.name]["met"])]
            problems += tests.result()
            if problems:
                return [sources.authored(problem) for problem in problems]
            return Remembered({each.name: described(each, reads[each.name]) for each in found}, combined(found))


@lru_cache
def _own_code() -> bytes:
    """What verification means: a change of this package verifies anew."""
    sources = [place for place in files("gateway.bundle").iterdir() if place.name.endswith((".py", ".json"))]
    return b"".join(place.read_bytes() for place in sorted(sources, key=lambda place: place.name)) + input_schema_text()


def _policies(sources: Sources, remembered: Remembered) -> Policies:
    packed = {path: content for path, content in sources.files.items() if not path.endswith("_test.rego")}
    packed[combiner.PATH] = remembered.combiner.encode()
    return Policies(packed, remembered.requirements)


def written(sources: Sources, library: Path, root: Path) -> Tree:
    """The sources on disk, ready for OPA."""
    for path, content in sources.files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (root / "capabilities.json").write_bytes((library / "capabilities.json").read_bytes())
    (root / "input.json").write_bytes(input_schema_text())
    return Tree(root, sources)


_OF_REQUIREMENTS: Final[tuple[Callable[[Found], Iterable[Problem]], ...]] = (incomplete, malformed, dangerous)
_OF_MODULES: Final[tuple[Callable[[Module], Iterable[Problem]], ...]] = (unguarded, impossible)


def judged(tree: Tree, opa: Opa) -> tuple[list[Problem], list[Found]]:
    """What is refused without running anything, and the requirements; writes the generated half of the combiner."""
    modules, problems = parse(tree.sources.files, opa, tree.root)
    if problems:
        return problems, []
    problems = misplaced(modules, tree.sources.own)
    found = discover(modules)
    problems += [problem for each in found for check in _OF_REQUIREMENTS for problem in check(each)]
    problems += [problem for each in modules if not each.is_test for check in _OF_MODULES for problem in check(each)]
    _write_combiner(tree, found)
    problems += complaints(
        opa.run("check", "--strict", "--format=json", "--max-errors=0", *tree.checking(), "mcp", within=tree.root)
    )
    return problems, found


def _write_combiner(tree: Tree, found: list[Found]) -> None:
    place = tree.root / combiner.PATH
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(combined(found))


def combined(found: list[Found]) -> str:
    """The generated half of the combiner over these requirements."""
    return combiner.combined(
        [Combined(each.name, bool(each.rules("met_by_arguments")), bool(each.rules("because"))) for each in found]
    )


class _TestCase(Struct, frozen=True):
    name: str
    location: dict[str, str | int]
    fail: bool = False
    error: dict[str, object] | None = None
    skip: bool = False


def failing(tree: Tree, opa: Opa) -> list[Problem]:
    """The tests that fail; a run that cannot be read fails as a whole."""
    ran = opa.run("test", "--format=json", "--capabilities=capabilities.json", "--timeout=30s", "mcp", within=tree.root)
    try:
        cases = msgspec.convert(ran.report(), list[_TestCase])
    except msgspec.ValidationError:
        return complaints(ran)
    return [
        Problem(str(case.location["file"]), int(case.location["row"]), f"the test {case.name} fails.", _why(case))
        for case in cases
        if case.fail or case.error is not None
    ]


def _why(case: _TestCase) -> str:
    return f"It ended in: {case.error.get('message', case.error)}." if case.error else "Mend the policy or the test."
