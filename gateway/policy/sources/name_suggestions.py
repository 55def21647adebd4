"""Suggestions of similar known names, for messages about unknown names.

Rule 1: the work is bounded. A policy with thousands of unknown names is still reported quickly; later names have no
suggestion.
"""

import difflib
from collections.abc import Callable, Collection, Iterable
from typing import Final

_LONGEST_WORD: Final = 80
"""Longer words get no suggestion: comparing them costs more than it helps."""
_COMPARISONS: Final = 200_000
"""The largest number of comparisons in one check."""
_LIKELY: Final = 0.7


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.8) -> str:
    """Return "Did you mean ...?" with the most similar known name; empty if none is similar."""
    if len(name) > _LONGEST_WORD:
        return ""
    names = [each for each in known if len(each) <= _LONGEST_WORD]
    folded = [each for each in names if each.casefold() == name.casefold()]
    close = folded[:1] or difflib.get_close_matches(name, names, n=1, cutoff=cutoff)
    return f"Did you mean `{close[0]}`?" if close else ""


class Suggestions:
    """Suggestions of names, up to the limit of comparisons of one check."""

    def __init__(self) -> None:
        self._left = _COMPARISONS

    def nearest(self, name: str, known: Callable[[], Collection[str]]) -> str:
        """Return "Did you mean ...?" with the most similar known name; empty if none is similar."""
        if self._left <= 0:
            return ""
        names = known()
        self._left -= len(names)
        return nearest(name, names, cutoff=_LIKELY)
