"""The address of an upstream, parsed from the URL of a route.

Rule 1: only absolute http and https URLs without a user are addresses. Any other URL gives null, and nothing is sent.
Rule 2: request lines and Host headers contain only ASCII without spaces. Other characters are encoded here.
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
    """The address of an upstream. Addresses with the same first three fields share connections."""

    host: str
    port: int
    tls: bool
    authority: str
    """The value of the Host header."""
    target: str
    """Path and query, as in the request line."""

    @property
    def origin(self) -> tuple[str, int, bool]:
        """Return the key of pooled connections."""
        return (self.host, self.port, self.tls)


@lru_cache(maxsize=4096)
def address(url: str) -> UpstreamAddress | None:
    """Return the address in a URL, or null if it is not valid (Rule 1)."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
        host = parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:  # includes UnicodeError
        return None
    if not host or port is None or "@" in parts.netloc or not _HOST.fullmatch(host):
        return None
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == _PORTS[parts.scheme] else f"{shown}:{port}"
    path = parts.path or "/"
    target = quote(f"{path}?{parts.query}" if parts.query else path, safe=_KEPT)
    return UpstreamAddress(host, port, parts.scheme == "https", authority, target)
