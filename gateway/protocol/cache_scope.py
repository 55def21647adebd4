"""The cache scope of a relayed result that is not parsed: a public result is made private to its reader.

Rule 1: only a plainly written member is found. Within a JSON text the quotes of a key are never bare, so no content is
taken for a key. A key with escaped letters stays as it is, and so does a result without the member.
Rule 2: at most a few bytes are held back, until the bytes after them show whether they begin such a member.
"""

import re
from typing import Final

_PUBLIC: Final = re.compile(rb'("cacheScope"\s*:\s*)"public"')
_PRIVATE: Final = rb'\1"private"'
_HELD: Final = 64
"""Bytes within which a member must be recognized."""


class PrivateScope:
    """Rewriter of one result. Every byte that is fed comes out, in this or a later piece."""

    def __init__(self) -> None:
        """Start with nothing held back."""
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return the bytes that may be written after this piece."""
        seen = _PUBLIC.sub(_PRIVATE, self._held + chunk)
        self._held = seen[-_HELD:]
        return seen[:-_HELD]

    def rest(self) -> bytes:
        """Return the bytes that were held back, after the last piece."""
        held, self._held = self._held, b""
        return held
