"""A result on its way that is not read: what it says to be for everybody's cache is made its reader's own.

Rule 1: only what is written plainly is found: within a JSON text the quotes of a key are never bare, so nothing in a
content is taken for one. A key with escaped letters stays as it is, and a result that says nothing.
Rule 2: no more than a few bytes are held back, until what follows them shows whether they begin such a member.
"""

import re
from typing import Final

_PUBLIC: Final = re.compile(rb'("cacheScope"\s*:\s*)"public"')
_PRIVATE: Final = rb'\1"private"'
_HELD: Final = 64
"""Bytes in which a member has to be recognized."""


class PrivateScope:
    """Rewrites one result; every byte that is fed comes out, here or of the rest."""

    def __init__(self) -> None:
        """Begin with nothing held back."""
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return what may be written when this has come."""
        seen = _PUBLIC.sub(_PRIVATE, self._held + chunk)
        self._held = seen[-_HELD:]
        return seen[:-_HELD]

    def rest(self) -> bytes:
        """Return what was held back, when all has come."""
        held, self._held = self._held, b""
        return held
