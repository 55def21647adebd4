"""Which names a glob of rules and scopes means.

Rule 1: a glob knows `*` (any characters) and `?` (any one character), and matches whole names.
Rule 2: a name without either is looked up, so that the cost of a rule does not grow with the catalog.
"""

import re
from collections.abc import Iterable


class Names:
    """A set of names that globs are matched with; remembers what each glob means."""

    def __init__(self, names: Iterable[str]) -> None:
        self.all = frozenset(names)
        self._known: dict[str, frozenset[str]] = {}

    def matching(self, glob: str) -> frozenset[str]:
        """The names that the glob means."""
        if "*" not in glob and "?" not in glob:
            return self.all & {glob}
        if glob not in self._known:
            pattern = _pattern(glob)
            self._known[glob] = frozenset(name for name in self.all if pattern.fullmatch(name))
        return self._known[glob]

    def matching_any(self, globs: Iterable[str]) -> frozenset[str]:
        """The names that some of the globs means."""
        return frozenset(name for glob in globs for name in self.matching(glob))


def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob), re.DOTALL)
