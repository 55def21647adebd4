"""The digest by which policy, the journal and stops name a session.

Rule 1: it is computed from the client's `Mcp-Session-Id`. No record contains the id itself, because it gives access to
the session.
"""

from hashlib import sha256
from typing import Final

DIGITS: Final = 32
"""Hexadecimal digits of a digest: the first 128 bits of SHA-256."""


def session_digest(session_id: str) -> str:
    """Return the digest of a session id; empty for none."""
    return sha256(session_id.encode()).hexdigest()[:DIGITS] if session_id else ""
