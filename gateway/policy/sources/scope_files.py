"""Which files below `rules/` are scopes, and which links would carry a rule past one.

Rule 1: a scope is `scope.yaml` in a directory below `rules/`; what looks like one and is called otherwise is a problem.
Rule 2: a rule file behind a link has the scopes of its visible place; a scope above its real place that is none of
them is a problem, whoever wrote it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from gateway.artifact.json_types import Json, is_object
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.schema_checks import schema
from gateway.policy.sources.source_files import SourceFile

SCOPE: Final = "scope.yaml"
_MEANT: Final = frozenset({SCOPE, "scope.yml", "scopes.yaml", "scopes.yml"})
"""Names that count as a scope above the real place of a file behind a link, where nothing else reads them."""


def is_scope(path: str) -> bool:
    """Return whether a path below an environment is that of a scope."""
    parts = PurePosixPath(path).parts
    return len(parts) > 2 and parts[0] == "rules" and parts[-1] == SCOPE  # noqa: PLR2004 - rules/<directory>/scope.yaml


def misplaced(path: str) -> tuple[str, str] | None:
    """Return what is wrong with a scope in no directory below `rules/`, and what to do; None for other files."""
    place = PurePosixPath(path)
    if place.name not in _MEANT or place.parent.as_posix() not in {".", "rules"}:
        return None
    return ": a scope is for a directory below rules/", f"Move it to rules/<directory>/{SCOPE}."


def unread_scope(file: str, value: object) -> list[Problem]:
    """Return the problem of a rule file that has no rules and the keys of a scope."""
    keys: Json = schema("scope")["properties"]
    if not is_object(value) or "rules" in value or keys.keys().isdisjoint(value):
        return []
    return [Problem(file, 0, f"is a scope file, which must be named `{SCOPE}`.", "Rename it.")]


def crossing_links(policy: Path, shown: str, files: Sequence[SourceFile]) -> Iterator[Problem]:
    """Yield the rule files and scopes that a link carries past a scope; `shown` names the environment."""
    root = policy.resolve()
    rules = {file.path: file.place.resolve() for file in files if file.path.startswith("rules/")}
    for path, real in rules.items():
        if is_scope(path) and not real.is_relative_to((policy / shown / path).parent.resolve()):
            said = "is a link to a file of another directory."
            yield Problem(f"{shown}/{path}", 0, said, "Put the scope file itself here: its owner must own this file.")
        elif not is_scope(path) and real != root / shown / path:
            above = {rules.get(f"{each}/{SCOPE}") for each in PurePosixPath(path).parents}
            for scope in _scopes_above(real, root):
                if scope.resolve() not in above:
                    named = scope.relative_to(root).as_posix()
                    said = f"is behind a link, and its scope {named} is not above the link."
                    remedy = "Put the file itself where its rules belong: a link must not lead past a scope."
                    yield Problem(f"{shown}/{path}", 0, said, remedy)


def _scopes_above(real: Path, root: Path) -> Iterator[Path]:
    """Yield the files called like a scope in the directories above a real place, as far as the policy repository."""
    for directory in real.parents:
        if not directory.is_relative_to(root):
            return
        for name in sorted(_MEANT):
            if (directory / name).is_symlink() or (directory / name).exists():
                yield directory / name
