"""Authentication of the hub's callers: bearer tokens by their digests, and the roles of each token.

Rule 1: the hub knows only digests. Every call is compared with all of them, in constant time.
Rule 2: a token may do what its roles allow and nothing else; no role contains another.
Rule 3: a gateway's token lists the gateways that may report with it. Without a list, it may report for its own name
only.
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
    """The holder of a token."""

    name: str
    roles: tuple[Role, ...]
    sha256: str
    """SHA-256 of the token's text, lower-case hexadecimal."""
    expires: str = ""
    """RFC 3339, UTC; empty if the token never expires."""
    expires_unix_ns: int = 0
    gateways: tuple[str, ...] = ()
    """Gateway names that it may report as; a final `*` matches any ending. Empty: its own name, and `<name>-*`."""

    def ended(self, unix_ns: int) -> bool:
        """Return whether the token has expired."""
        return bool(self.expires_unix_ns) and unix_ns >= self.expires_unix_ns

    def speaks_for(self, gateway: str) -> bool:
        """Return whether a gateway of this name may report with this token."""
        patterns = self.gateways or (self.name, f"{self.name}-*")
        return any(gateway == each or (each.endswith("*") and gateway.startswith(each[:-1])) for each in patterns)


def caller(authorization: str, callers: Sequence[TokenHolder]) -> TokenHolder | None:
    """Return the holder of the token in this `Authorization` header; None if the token is unknown."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > _LONGEST:
        return None
    digest = hashlib.sha256(token.strip().encode()).hexdigest()
    found = [each for each in callers if hmac.compare_digest(each.sha256, digest)]
    return found[0] if found else None


class UnknownCallerLog:
    """Rate limit for the log of refused callers: at most one event a second, with a count."""

    def __init__(self) -> None:
        self._untold = 0
        self._told_at = -_RHYTHM_S

    def turned_away(self, now: float) -> int:
        """Return the refusals since the last event; 0 if that was under a second ago (`now`: monotonic seconds)."""
        self._untold += 1
        if now - self._told_at < _RHYTHM_S:
            return 0
        count, self._untold, self._told_at = self._untold, 0, now
        return count
