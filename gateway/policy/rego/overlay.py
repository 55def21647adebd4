"""Combine a policy repository's own Rego with the stock library, file by file (DESIGN section 4).

Rule 1: own files add requirements (`mcp/requirements/<new name>/`) and helpers (`mcp/lib/own/<noun>/`). They never
replace a stock file.
Rule 2: the directory of a file must match its package, as OPA's parser reads it. Only Rego files are accepted.
Rule 3: this repository's own `rego/` is the stock library and is checked in the same way.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

from gateway.policy.rego.rego_module import Module
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.source_files import DirectoryListing, DirectoryToList, list_files, read_regular

_NAME: Final = r"[a-z][a-z0-9_]{0,62}"
_OWN: Final = re.compile(rf"mcp/(?:requirements/{_NAME}|lib/own/{_NAME})/[A-Za-z0-9_]+\.rego")
_STOCK: Final = re.compile(rf"mcp/(?:admission|requirements/{_NAME}|lib(?:/{_NAME})+)/[A-Za-z0-9_]+\.rego")
_BESIDE: Final = frozenset({".manifest", "capabilities.json", "schemas/", ".regal/"})
"""Names that may exist next to `mcp/` in the stock library; they are never staged."""
_BESIDE_OWN: Final = frozenset({".regal/"})
MAX_BYTES: Final = 1024 * 1024


class StagedSources(Struct, frozen=True):
    """Staged path -> content, and staged path -> the author's name of the file."""

    files: dict[str, bytes]
    origins: dict[str, str]
    own: frozenset[str]
    is_stock: bool
    """True if the policy repository is the one that contains the stock library."""

    def authored(self, problem: Problem) -> Problem:
        """Return the problem with the author's name of the file."""
        name = problem.file.removeprefix("./")
        return Problem(self.origins.get(name, name), problem.line, problem.what, problem.remedy)


def is_own(path: str) -> bool:
    """Return whether a path is allowed for a policy repository's own Rego, including tests."""
    return bool(_OWN.fullmatch(path))


def list_rego(policy: Path) -> DirectoryListing:
    """Return the files below a policy repository's `rego/`."""
    return list_files(DirectoryToList(root=policy / "rego", shown="rego", within=policy, beside=_BESIDE_OWN))


def lay(policy: Path, library: Path, *, editing: bool = False) -> tuple[StagedSources, list[Problem]]:
    """Return the staged sources of a policy repository (the directory with `rego/`), and the problems.

    `editing`: ignore the files that an editor creates next to an open file.
    """
    own_root = policy / "rego"
    is_stock = own_root.is_dir() and own_root.samefile(library)
    shown = "rego" if is_stock else "<stock>"
    stock = list_files(DirectoryToList(root=library, shown=shown, within=library, beside=_BESIDE))
    files, origins, problems = _read(stock, shown, _STOCK, editing=editing)
    own: dict[str, bytes] = {}
    if (own_root.is_symlink() or own_root.exists()) and not is_stock:
        own, own_origins, refused = _read(list_rego(policy), "rego", _OWN, editing=editing, same=library)
        problems += refused
        for path in sorted(own.keys() & files.keys()):
            remedy = "Choose another name: own files cannot replace stock files."
            problems.append(Problem(own_origins[path], 0, "has the path of a stock file.", remedy))
            del own[path]
        origins |= own_origins
    return StagedSources(files | own, origins, frozenset(own), is_stock), problems


def _read(
    listing: DirectoryListing, shown: str, allowed: re.Pattern[str], *, editing: bool, same: Path | None = None
) -> tuple[dict[str, bytes], dict[str, str], list[Problem]]:
    files: dict[str, bytes] = {}
    origins: dict[str, str] = {}
    problems = list(listing.problems if editing else listing.problems + listing.editing)
    for source in listing.files:
        path, name = source.path, f"{shown}/{source.path}"
        try:
            content = read_regular(source.place, MAX_BYTES + 1)
        except OSError as error:
            problems.append(Problem(name, 0, f"cannot be read: {error.strerror}.", "Check its permissions."))
            continue
        if same is not None and _is_copy(content, same / path):
            continue
        refusal = _refusal(path, content, allowed)
        if refusal:
            problems.append(Problem(name, 0, *refusal))
        else:
            files[path], origins[path] = content, name
    return files, origins, problems


def _is_copy(content: bytes, stock: Path) -> bool:
    """Return whether a file is an unchanged copy of a stock file, such as in a checkout of this repository."""
    return stock.is_file() and content == stock.read_bytes()


def _refusal(path: str, content: bytes, allowed: re.Pattern[str]) -> tuple[str, str] | None:
    if not path.endswith(".rego"):
        remedy = "Keep data in bundles/<environment>/ as YAML. rego/ is for Rego only."
        return "is not Rego: data and schemas cannot be added to the stock library.", remedy
    if not allowed.fullmatch(path):
        remedy = "Put it in rego/mcp/requirements/<new name>/ or rego/mcp/lib/own/<noun>/ (lower case, digits, `_`)."
        return "is outside the policy directories and would be ignored.", remedy
    if len(content) > MAX_BYTES:
        return f"is larger than {MAX_BYTES} bytes.", "Split it."
    return None


def misplaced(modules: list[Module], own: frozenset[str]) -> list[Problem]:
    """Return problems of modules with a stock package, or one that differs from the directory (tests: with `_test`)."""
    stock = {module.package for module in modules if module.path not in own}
    problems: list[Problem] = []
    for module in modules:
        directory = ".".join(PurePosixPath(module.path).parent.parts)
        expected = f"{directory}_test" if module.is_test else directory
        line = int(module.tree["package"].get("location", {}).get("row", 0))
        if module.package != expected:
            remedy = f"Write `package {expected}`, or move the file."
            problems.append(Problem(module.path, line, f"has the package `{module.package}`.", remedy))
        if directory.endswith("_test"):
            problems.append(Problem(module.path, line, "is in a directory whose name ends in `_test`.", "Rename it."))
        if module.path in own and module.package in stock:
            remedy = "Choose a new name: a second file of a stock package could admit everything."
            problems.append(Problem(module.path, line, f"has the stock package `{module.package}`.", remedy))
    return problems
