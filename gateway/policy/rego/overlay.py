"""Lays a policy repository's own Rego over the stock library, file by file (DESIGN section 4).

Rule 1: own files add: `mcp/requirements/<new name>/` and `mcp/lib/own/<noun>/`; nothing of the stock is replaced.
Rule 2: a file lies where its package says, as OPA's parser reads it; nothing but Rego is laid.
Rule 3: this repository's own `rego/` is the stock library and goes through the same door.
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
"""What may lie beside `mcp/` in the stock library; it is never staged."""
_BESIDE_OWN: Final = frozenset({".regal/"})
MAX_BYTES: Final = 1024 * 1024


class StagedSources(Struct, frozen=True):
    """Staged path -> content, and staged path -> the name under which its author knows the file."""

    files: dict[str, bytes]
    origins: dict[str, str]
    own: frozenset[str]
    is_stock: bool
    """True where the policy repository is the one that the stock library is from."""

    def authored(self, problem: Problem) -> Problem:
        """The problem in terms of the author's file."""
        name = problem.file.removeprefix("./")
        return Problem(self.origins.get(name, name), problem.line, problem.what, problem.remedy)


def is_own(path: str) -> bool:
    """True where a policy repository's own Rego may lie, tests among it."""
    return bool(_OWN.fullmatch(path))


def list_rego(policy: Path) -> DirectoryListing:
    """The files below a policy repository's `rego/`."""
    return list_files(DirectoryToList(root=policy / "rego", shown="rego", within=policy, beside=_BESIDE_OWN))


def lay(policy: Path, library: Path, *, editing: bool = False) -> tuple[StagedSources, list[Problem]]:
    """The staged sources of a policy repository (the directory that holds `rego/`), and what was refused.

    `editing`: what an editor leaves beside a file while a person types is no problem.
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
            remedy = "Choose another name: own requirements add, they do not replace."
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
            problems.append(Problem(name, 0, f"cannot be read: {error.strerror}.", "Look at its permissions."))
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
    """True for an unchanged copy of a stock file, such as in a checkout of this repository: it replaces nothing."""
    return stock.is_file() and content == stock.read_bytes()


def _refusal(path: str, content: bytes, allowed: re.Pattern[str]) -> tuple[str, str] | None:
    if not path.endswith(".rego"):
        remedy = "Keep data in bundles/<environment>/ as YAML; only Rego lives in rego/."
        return "is not Rego: data and schemas cannot be laid over the stock library.", remedy
    if not allowed.fullmatch(path):
        remedy = "Put it in rego/mcp/requirements/<new name>/ or rego/mcp/lib/own/<noun>/ (lower case, digits, `_`)."
        return "lies where no policy is taken from.", remedy
    if len(content) > MAX_BYTES:
        return f"is larger than {MAX_BYTES} bytes.", "Split it."
    return None


def misplaced(modules: list[Module], own: frozenset[str]) -> list[Problem]:
    """Modules whose package is not their directory's, or one that the stock has; tests are `<package>_test`."""
    stock = {module.package for module in modules if module.path not in own}
    problems: list[Problem] = []
    for module in modules:
        directory = ".".join(PurePosixPath(module.path).parent.parts)
        expected = f"{directory}_test" if module.is_test else directory
        line = int(module.tree["package"].get("location", {}).get("row", 0))
        if module.package != expected:
            remedy = f"Write `package {expected}`, or move the file."
            problems.append(Problem(module.path, line, f"is of package `{module.package}`.", remedy))
        if directory.endswith("_test"):
            problems.append(Problem(module.path, line, "lies in a directory that ends in `_test`.", "Rename it."))
        if module.path in own and module.package in stock:
            remedy = "Choose a new name: a second file of a stock package could admit everything."
            problems.append(Problem(module.path, line, f"is of the stock package `{module.package}`.", remedy))
    return problems
