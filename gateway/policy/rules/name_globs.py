"""Match names with the globs of rules and scopes.

Rule 1: a glob supports `*` (any characters) and `?` (any one character), and matches whole names.
Rule 2: a name without either is looked up directly, so the cost of a rule does not grow with the catalog.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

_WILDCARD: Final = re.compile(r"[*?]")


class NameGlobs:
    """A set of names to match globs with, and a cache of the matches."""

    def __init__(self, names: Iterable[str]) -> None:
        self.all = frozenset(names)
        self._known: dict[str, frozenset[str]] = {}

    def matching(self, glob: str) -> frozenset[str]:
        """Return the names that the glob matches."""
        if "*" not in glob and "?" not in glob:
            return self.all & {glob}
        if glob not in self._known:
            literal = max(_WILDCARD.split(glob), key=len)
            fits = _fitting(glob)
            self._known[glob] = frozenset(name for name in self.all if literal in name and fits(name))
        return self._known[glob]

    def matching_any(self, globs: Iterable[str]) -> frozenset[str]:
        """Return the names that at least one of the globs matches."""
        return frozenset(name for glob in globs for name in self.matching(glob))


def fits(glob: str, name: str) -> bool:
    """Return whether a glob matches a whole name."""
    return bool(_fitting(glob)(name))


def _fitting(glob: str) -> Callable[[str], object]:
    if "?" in glob:
        return re.compile(
            "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob), re.DOTALL
        ).fullmatch
    head, *rest = glob.split("*")
    return partial(_holds_in_order, head, rest) if rest else glob.__eq__


def _holds_in_order(head: str, rest: list[str], name: str) -> bool:
    """Return whether a name starts with `head`, ends with the last of `rest`, and has the others in order between."""
    if not name.startswith(head) or not name.endswith(rest[-1]):
        return False
    place, end = len(head), len(name) - len(rest[-1])
    for piece in rest[:-1]:
        found = name.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return place <= end
