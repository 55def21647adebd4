"""A route's URL as what is needed to reach it.

Rule 1: only absolute http and https URLs without a user are addresses; anything else is null, and nothing is sent.
Rule 2: what goes into a request line or a Host header is ASCII without spaces: other characters are encoded here.
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

from msgspec import Struct

_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[A-Za-z0-9._:%-]+")
_KEPT: Final = "/:?@!$&'()*+,;=%~[]-._"


class UpstreamAddress(Struct, frozen=True):
    """Where an upstream is; connections are shared by what has the same first three fields."""

    host: str
    port: int
    tls: bool
    authority: str
    """The value of the Host header."""
    target: str
    """Path and query, as the request line has them."""

    @property
    def origin(self) -> tuple[str, int, bool]:
        """What connections are pooled by."""
        return (self.host, self.port, self.tls)


@lru_cache(maxsize=4096)
def address(url: str) -> UpstreamAddress | None:
    """Return the address that a URL is; null where it is none (Rule 1)."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
        host = parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:  # UnicodeError is one
        return None
    if not host or port is None or "@" in parts.netloc or not _HOST.fullmatch(host):
        return None
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == _PORTS[parts.scheme] else f"{shown}:{port}"
    path = parts.path or "/"
    target = quote(f"{path}?{parts.query}" if parts.query else path, safe=_KEPT)
    return UpstreamAddress(host, port, parts.scheme == "https", authority, target)
