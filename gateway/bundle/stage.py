"""Lays a policy repository's own Rego over the stock library, file by file (DESIGN section 4).

Rule 1: own files add: `mcp/requirements/<new name>/` and `mcp/lib/own/<noun>/`; nothing of the stock is replaced.
Rule 2: a file lies where its package says, as OPA's parser reads it; nothing but Rego is laid.
Rule 3: this repository's own `rego/` is the stock library and goes through the same door.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

from gateway.bundle.module import Module
from gateway.bundle.problem import Problem

_NAME: Final = r"[a-z][a-z0-9_]{0,62}"
_OWN: Final = re.compile(rf"mcp/(?:requirements/{_NAME}|lib/own/{_NAME})/[A-Za-z0-9_]+\.rego")
_STOCK: Final = re.compile(rf"mcp/(?:admission|requirements/{_NAME}|lib(?:/{_NAME})+)/[A-Za-z0-9_]+\.rego")
_BESIDE: Final = frozenset({".manifest", "capabilities.json", "schemas", ".regal", "README.md", ".gitignore"})
"""What may lie beside `mcp/` in the stock library; it is never staged."""
_BESIDE_OWN: Final = frozenset({".regal", "README.md", ".gitignore", ".gitkeep"})
MAX_BYTES: Final = 1024 * 1024


class Sources(Struct, frozen=True):
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


def lay(policy: Path, library: Path) -> tuple[Sources, list[Problem]]:
    """The staged sources of a policy repository (the directory that holds `rego/`), and what was refused."""
    own_root = policy / "rego"
    is_stock = own_root.is_dir() and own_root.samefile(library)
    files, origins, problems = _read(library, "rego" if is_stock else "<stock>", _STOCK, _BESIDE)
    own: dict[str, bytes] = {}
    if own_root.is_dir() and not is_stock:
        own, own_origins, refused = _read(own_root, "rego", _OWN, _BESIDE_OWN, same=library)
        problems += refused
        for path in sorted(own.keys() & files.keys()):
            remedy = "Choose another name: own requirements add, they do not replace."
            problems.append(Problem(own_origins[path], 0, "has the path of a stock file.", remedy))
            del own[path]
        origins |= own_origins
    return Sources(files | own, origins, frozenset(own), is_stock), problems


def _read(
    root: Path, shown: str, allowed: re.Pattern[str], beside: frozenset[str], *, same: Path | None = None
) -> tuple[dict[str, bytes], dict[str, str], list[Problem]]:
    files: dict[str, bytes] = {}
    origins: dict[str, str] = {}
    problems: list[Problem] = []
    for place in sorted(root.rglob("*")):
        path = place.relative_to(root).as_posix()
        if path.split("/", 1)[0] in beside or place.is_dir() or _is_scratch(place.name):
            continue
        if same is not None and _is_copy(place, same / path):
            continue
        refusal = _refusal(place, path, root, allowed)
        if refusal:
            problems.append(Problem(f"{shown}/{path}", 0, *refusal))
            continue
        try:
            files[path] = place.read_bytes()
        except OSError as error:
            problems.append(
                Problem(f"{shown}/{path}", 0, f"cannot be read: {error.strerror}.", "Look at its permissions.")
            )
        origins[path] = f"{shown}/{path}"
    return files, origins, problems


def _is_copy(place: Path, stock: Path) -> bool:
    """True for an unchanged copy of a stock file, such as in a checkout of this repository: it replaces nothing."""
    return place.is_file() and stock.is_file() and place.read_bytes() == stock.read_bytes()


def _is_scratch(name: str) -> bool:
    """True for what editors leave behind while a person types."""
    return name.startswith((".#", "#", ".~")) or name.endswith(("~", ".swp", ".swx", ".tmp"))


def _refusal(place: Path, path: str, root: Path, allowed: re.Pattern[str]) -> tuple[str, str] | None:
    if not place.resolve().is_relative_to(root.resolve()):
        return "is a link that leads outside.", "Put the file itself here."
    if not path.endswith(".rego"):
        remedy = "Keep data in bundles/<environment>/ as YAML; only Rego lives in rego/."
        return "is not Rego: data and schemas cannot be laid over the stock library.", remedy
    if not allowed.fullmatch(path):
        remedy = "Put it in rego/mcp/requirements/<new name>/ or rego/mcp/lib/own/<noun>/ (lower case, digits, `_`)."
        return "lies where no policy is taken from.", remedy
    if place.stat().st_size > MAX_BYTES:
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
