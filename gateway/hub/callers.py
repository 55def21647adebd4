"""Who asks: bearer tokens by their digests, and what each may do.

Rule 1: only digests are known here; all of them are compared, in constant time, whoever asks.
Rule 2: a token may do what its roles say and nothing else; no role contains another.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

Role = Literal["publisher", "responder", "gateway", "reader"]
ROLES: Final[tuple[Role, ...]] = ("publisher", "responder", "gateway", "reader")
_LONGEST: Final = 1024


class Caller(Struct, frozen=True, kw_only=True):
    """One who holds a token."""

    name: str
    roles: tuple[Role, ...]
    sha256: str
    """Of the token's text, lower-case hexadecimal."""


def caller(authorization: str, callers: Sequence[Caller]) -> Caller | None:
    """Who sends this `Authorization` header; None for nobody that is known."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > _LONGEST:
        return None
    digest = hashlib.sha256(token.strip().encode()).hexdigest()
    found = [each for each in callers if hmac.compare_digest(each.sha256, digest)]
    return found[0] if found else None
