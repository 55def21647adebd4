"""The scope files below `rules/`, and links that would bypass a scope.

Rule 1: a scope is `scope.yaml` in a directory below `rules/`. A file that looks like one but has another name is a
problem.
Rule 2: a rule file behind a link has the scopes of its visible path. A scope above its real path that is not one of
these is a problem, regardless of its author.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from gateway.artifact.json_narrowing import Json, is_object
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.schema_checks import schema
from gateway.policy.sources.source_files import SourceFile

SCOPE: Final = "scope.yaml"
_MEANT: Final = frozenset({SCOPE, "scope.yml", "scopes.yaml", "scopes.yml"})
"""Names that count as a scope above the real path of a linked file; no other check reads those files."""


def is_scope(path: str) -> bool:
    """Return whether a path relative to an environment is the path of a scope."""
    parts = PurePosixPath(path).parts
    return len(parts) > 2 and parts[0] == "rules" and parts[-1] == SCOPE  # noqa: PLR2004 - rules/<directory>/scope.yaml


def misplaced(path: str) -> tuple[str, str] | None:
    """Return what is wrong with a scope outside the directories below `rules/`, and the remedy; else None."""
    place = PurePosixPath(path)
    if place.name not in _MEANT or place.parent.as_posix() not in {".", "rules"}:
        return None
    return ": a scope belongs in a directory below rules/", f"Move it to rules/<directory>/{SCOPE}."


def unread_scope(file: str, value: object) -> list[Problem]:
    """Return the problem of a rule file that has the keys of a scope and no rules."""
    keys: Json = schema("scope")["properties"]
    if not is_object(value) or "rules" in value or keys.keys().isdisjoint(value):
        return []
    return [Problem(file, 0, f"has the content of a scope file, which must be named `{SCOPE}`.", "Rename it.")]


def crossing_links(policy: Path, shown: str, files: Sequence[SourceFile]) -> Iterator[Problem]:
    """Yield problems of links that let a rule or scope file bypass a scope; `shown` is the environment's path."""
    root = policy.resolve()
    rules = {file.path: file.place.resolve() for file in files if file.path.startswith("rules/")}
    for path, real in rules.items():
        if is_scope(path) and not real.is_relative_to((policy / shown / path).parent.resolve()):
            said = "is a link to a file in another directory."
            yield Problem(f"{shown}/{path}", 0, said, "Put the scope file itself here: its owner must own it.")
        elif not is_scope(path) and real != root / shown / path:
            above = {rules.get(f"{each}/{SCOPE}") for each in PurePosixPath(path).parents}
            for scope in _scopes_above(real, root):
                if scope.resolve() not in above:
                    named = scope.relative_to(root).as_posix()
                    said = f"is behind a link, and the scope {named} of its target does not apply to the link."
                    remedy = "Put the file itself where its rules belong: a link must not bypass a scope."
                    yield Problem(f"{shown}/{path}", 0, said, remedy)


def _scopes_above(real: Path, root: Path) -> Iterator[Path]:
    """Yield the files named like a scope in the directories above a real path, up to the policy repository's root."""
    for directory in real.parents:
        if not directory.is_relative_to(root):
            return
        for name in sorted(_MEANT):
            if (directory / name).is_symlink() or (directory / name).exists():
                yield directory / name
