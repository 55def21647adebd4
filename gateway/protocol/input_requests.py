r"""A search in a relayed result that is not parsed, for the key by which a server asks the client for input.

Rule 1: in a JSON text no quote that opens a string follows a backslash, and no letter follows one that closes a string.
So the text between two bare quotes is found without knowing depth or state, and invalid JSON cannot mislead the search.
Rule 2: the string is found everywhere, as a key or as a value, at any depth and any number of times.
Rule 3: capital letters count as small ones, and so do the few that fold onto them, as in results that are read. An
escape that only lenient readers take for a letter, such as `\i` or `\x69`, counts as that letter.
Rule 4: at most the longest spelling of the string is held.
"""

import re
from typing import Final

_KEY: Final = "inputrequests"
_ALIKE: Final = {"i": "\u0130\u0131", "s": "\u017f"}
_ESCAPES: Final = frozenset("nrtu")
"""Letters that mean something else after a backslash."""
_HELD: Final = len('""') + len("\\u0069") * len(_KEY)
"""Bytes of the string if every letter is escaped; while its last one is missing, the one before it has room."""


def _written(letter: str) -> str:
    """Return a pattern of all spellings of a letter."""
    cases, alike = letter + letter.upper(), _ALIKE.get(letter, "")
    bare = "".join(form for form in cases if form not in _ESCAPES)
    codes = [*(f"u{ord(form):04x}" for form in cases + alike), *(f"x{ord(form):02x}" for form in cases)]
    plain = [f"[{cases}]", *("".join(f"\\x{byte:02x}" for byte in form.encode()) for form in alike)]
    return rf"(?:{'|'.join(plain)}|\\(?:[{bare}]|(?i:{'|'.join(codes)})))"


_FOUND: Final = re.compile(rf'"(?<!\\"){"".join(map(_written, _KEY))}"'.encode())


class Watch:
    """Searcher of one result, piece by piece."""

    def __init__(self) -> None:
        """Start before the first byte, as if after a space."""
        self._held = b" "

    def sees(self, piece: bytes) -> bool:
        """Return whether the string ended in this piece, no matter in which piece it began."""
        ends = b'"' in piece
        seen = self._held + (piece if ends else piece[-_HELD:])
        self._held = seen[-_HELD:]
        return ends and _FOUND.search(seen, 1) is not None
