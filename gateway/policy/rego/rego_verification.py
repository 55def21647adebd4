"""Verify the staged Rego of a policy repository: the part of a bundle that changes rarely.

Rule 1: all problems are found on the staged tree and reported with the names of the author's files.
Rule 2: verifications are cached by content, in memory and in the state directory, so that a saved YAML file does not
cause another verification of the Rego.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.artifact.manifest import Library
from gateway.durable_files import replace
from gateway.policy.rego.input_schema import input_schema_text
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.overlay import StagedSources, lay
from gateway.policy.rego.rego_module import Parser
from gateway.policy.rego.staged_requirements import (
    Reads,
    Requirement,
    RequirementDirectory,
    described,
    overreaching,
    read_sets,
)
from gateway.policy.rego.staged_tree import combine, failing, judged, opened, written
from gateway.policy.rego.stock_library_version import carried
from gateway.policy.sources.problem import Problem

_PACKAGE: Final = Path(__file__).parents[1]

KEPT: Final = 16
"""The largest number of verifications in the state directory."""


class VerifiedRego(Struct, frozen=True):
    """Verified Rego: the files to pack, and the bundle's description of each requirement."""

    files: Mapping[str, bytes]
    requirements: Mapping[str, Requirement]
    library: Library
    """The stock library of these files."""


class RememberedVerification(Struct, frozen=True):
    """The result of a verification, which is stored under the digest of its sources."""

    requirements: dict[str, Requirement]
    combiner: str


class Verifier:
    """A verifier of staged Rego that caches its results."""

    def __init__(self, opa: OpaCommand, state: Path) -> None:
        self._opa = opa
        self._kept = state / "verified"
        self._known: dict[str, VerifiedRego] = {}
        self._parser = Parser(opa)
        self._reads: dict[tuple[str, str], Reads] = {}

    def verified(self, policy: Path, library: Path, *, editing: bool = False) -> VerifiedRego | list[Problem]:
        """Return the verified Rego of the repository, or all of its problems."""
        sources, problems = lay(policy, library, editing=editing)
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

    def _identity(self, sources: StagedSources, library: Path) -> str:
        digest = hashlib.sha256(_own_code())
        binary = self._opa.path.stat()
        digest.update(f"{self._opa.path} {binary.st_size} {binary.st_mtime_ns}\n".encode())
        digest.update(f"{_digest(sources.files)} {sources.is_stock} {sorted(sources.own)}\n".encode())
        digest.update((library / "capabilities.json").read_bytes())
        return digest.hexdigest()

    def _remembered(self, identity: str) -> RememberedVerification | None:
        try:
            content = (self._kept / f"{identity}.json").read_bytes()
            return msgspec.json.decode(content, type=RememberedVerification)
        except (OSError, msgspec.DecodeError):
            return None

    def _remember(self, identity: str, remembered: RememberedVerification) -> None:
        self._kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(self._kept / f"{identity}.json", msgspec.json.encode(remembered))
        places = sorted(self._kept.iterdir(), key=lambda place: place.stat().st_mtime_ns, reverse=True)
        for place in places[KEPT:]:
            place.unlink(missing_ok=True)

    def _verify(self, sources: StagedSources, library: Path) -> RememberedVerification | list[Problem]:
        with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
            tree = written(sources, library, Path(scratch))
            problems, found = judged(tree, self._opa, self._parser)
            if problems:
                return [sources.authored(problem) for problem in problems]
            reads = self._read_sets(found, tree.sources, tree.root)
            text = combine(tree, found, reads)
            problems = [problem for each in found for problem in overreaching(each, reads[each.name]["met"])]
            problems += opened(tree, found, Parser(self._opa))
            problems += failing(tree, self._opa)
            if problems:
                return [sources.authored(problem) for problem in problems]
            return RememberedVerification({each.name: described(each, reads[each.name]) for each in found}, text)

    def _read_sets(self, found: list[RequirementDirectory], sources: StagedSources, root: Path) -> dict[str, Reads]:
        """Return the reads of each requirement; those of stock requirements do not depend on own files."""
        stock = _digest({path: text for path, text in sources.files.items() if path not in sources.own})
        every = _digest(sources.files)
        keys = {each.name: (every if each.place in sources.own else stock, each.name) for each in found}
        new = [each for each in found if keys[each.name] not in self._reads]
        computed = read_sets(new, self._opa, root)
        known = {name: computed.get(name) or self._reads[key] for name, key in keys.items()}
        self._reads = {keys[name]: reads for name, reads in known.items()}
        return known


def _digest(sources: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name} {hashlib.sha256(sources[name]).hexdigest()}\n".encode())
    return digest.hexdigest()


@lru_cache
def _own_code() -> bytes:
    """Return the code of the package `policy`: a verification by another version of the code does not count."""
    sources = sorted(file for file in _PACKAGE.rglob("*") if file.suffix in {".py", ".json"})
    return b"".join(file.read_bytes() for file in sources) + input_schema_text()


def _policies(sources: StagedSources, remembered: RememberedVerification) -> VerifiedRego:
    packed = {path: content for path, content in sources.files.items() if not path.endswith("_test.rego")}
    packed[COMBINED_REQUIREMENTS] = remembered.combiner.encode()
    library = carried({path: content for path, content in sources.files.items() if path not in sources.own})
    return VerifiedRego(packed, remembered.requirements, library)
