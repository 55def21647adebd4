"""Who asks: bearer tokens by their digests, and what each may do.

Rule 1: only digests are known here; all of them are compared, in constant time, whoever asks.
Rule 2: a token may do what its roles say and nothing else; no role contains another.
Rule 3: a gateway's token says which gateways may speak by it; one that does not say so speaks for its own name only.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

Role = Literal["publisher", "responder", "gateway", "reader"]
ROLES: Final[tuple[Role, ...]] = ("publisher", "responder", "gateway", "reader")
_LONGEST: Final = 1024
_RHYTHM_S: Final = 1.0


class TokenHolder(Struct, frozen=True, kw_only=True):
    """One who holds a token."""

    name: str
    roles: tuple[Role, ...]
    sha256: str
    """Of the token's text, lower-case hexadecimal."""
    expires: str = ""
    """RFC 3339, UTC; empty: never."""
    expires_unix_ns: int = 0
    gateways: tuple[str, ...] = ()
    """Names that it may report as; `*` at the end is any end. None: its own name, and that with `-` and more."""

    def ended(self, unix_ns: int) -> bool:
        """Whether it opens nothing any more."""
        return bool(self.expires_unix_ns) and unix_ns >= self.expires_unix_ns

    def speaks_for(self, gateway: str) -> bool:
        """Whether a gateway of this name may report by this token."""
        patterns = self.gateways or (self.name, f"{self.name}-*")
        return any(gateway == each or (each.endswith("*") and gateway.startswith(each[:-1])) for each in patterns)


def caller(authorization: str, callers: Sequence[TokenHolder]) -> TokenHolder | None:
    """Who sends this `Authorization` header; None for nobody that is known."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > _LONGEST:
        return None
    digest = hashlib.sha256(token.strip().encode()).hexdigest()
    found = [each for each in callers if hmac.compare_digest(each.sha256, digest)]
    return found[0] if found else None


class UnknownCallerLog:
    """Tells of those who are turned away for one reason, at most once a second however many they are."""

    def __init__(self) -> None:
        self._untold = 0
        self._told_at = -_RHYTHM_S

    def turned_away(self, now: float) -> int:
        """How many there were since they were last told of; 0 where that was a moment ago (monotonic seconds)."""
        self._untold += 1
        if now - self._told_at < _RHYTHM_S:
            return 0
        count, self._untold, self._told_at = self._untold, 0, now
        return count
