"""Parse a Rego file with OPA's own parser.

Rule 1: all facts about a file come from its syntax tree, never from matching its text.
Rule 2: each content is parsed once. Parsed modules are cached by content.
"""

import base64
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_array, is_object
from gateway.policy.rego.opa_cli import OpaCommand, complaints
from gateway.policy.sources.problem import Problem

PARALLEL: Final = 4
Node = Any
"""A node of OPA's JSON syntax tree."""


class Module(Struct, frozen=True):
    """A parsed file; `package` is dotted and without `data.`."""

    path: str
    package: str
    tree: Json

    @property
    def is_test(self) -> bool:
        """True for files that `opa test` runs and that are never packed."""
        return self.path.endswith("_test.rego")

    @property
    def rules(self) -> list[Node]:
        """The rules in the order of the file."""
        return self.tree.get("rules", [])

    @property
    def annotations(self) -> list[Node]:
        """The METADATA blocks."""
        return self.tree.get("annotations", [])

    @property
    def imports(self) -> dict[str, str]:
        """Local name -> dotted path, for every import."""
        found: dict[str, str] = {}
        for each in self.tree.get("imports", []):
            path = [str(term["value"]) for term in each["path"]["value"]]
            found[each.get("alias") or path[-1]] = ".".join(path)
        return found


class Parser:
    """A parser that caches the last content of each file."""

    def __init__(self, opa: OpaCommand) -> None:
        self._opa = opa
        self._known: dict[str, tuple[bytes, Module]] = {}

    def parse(self, files: Mapping[str, bytes], within: Path) -> tuple[list[Module], list[Problem]]:
        """Return the modules of the staged files, and the problems that OPA's parser reported."""
        new = [path for path in sorted(files) if path not in self._known or self._known[path][0] != files[path]]
        with ThreadPoolExecutor(PARALLEL) as pool:
            results = dict(zip(new, pool.map(partial(_parsed, opa=self._opa, within=within), new), strict=True))
        parsed = {path: (files[path], found) for path, found in results.items() if isinstance(found, Module)}
        self._known = {path: kept for path, kept in self._known.items() if path in files} | parsed
        problems = [problem for found in results.values() if not isinstance(found, Module) for problem in found]
        return [self._known[path][1] for path in sorted(files) if path not in results or path in parsed], problems


def _parsed(file: str, opa: OpaCommand, within: Path) -> Module | list[Problem]:
    ran = opa.run("parse", "--format=json", "--json-include=locations,-comments", file, within=within)
    tree = ran.report()
    if ran.code or not is_object(tree) or "package" not in tree:
        return complaints(ran) or [Problem(file, 0, "lacks a `package` declaration.", "Add it, or remove the file.")]
    path = [str(term["value"]) for term in tree["package"]["path"]]
    return Module(file, ".".join(path[1:]), tree)


def row(node: Mapping[str, Any]) -> int:
    """Return the line of a node; 0 if OPA does not report it."""
    return int(node.get("location", {}).get("row", 0))


def text(node: Mapping[str, Any]) -> str:
    """Return the source text of a node."""
    return base64.b64decode(node.get("location", {}).get("text", "")).decode("utf-8", "replace")


def bare(node: Node) -> Node:
    """Return the node without locations, so that equal syntax compares equal."""
    if is_object(node):
        return {key: bare(value) for key, value in node.items() if key not in {"location", "index"}}
    return [bare(each) for each in node] if is_array(node) else node


def walk(node: Node) -> Iterator[Mapping[str, Any]]:
    """Yield every object in the tree, outer ones first."""
    stack: list[Node] = [node]
    while stack:
        found = stack.pop()
        if is_object(found):
            yield found
            stack.extend(reversed(list(found.values())))
        elif is_array(found):
            stack.extend(reversed(found))
