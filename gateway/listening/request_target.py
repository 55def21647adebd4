"""Target of an HTTP request: its path, and the host of an absolute target (RFC 9112 section 3.2).

Rule 1: a target in absolute form names the host; `Host` may repeat it but must not differ.
Rule 2: a target that is not a path or an http(s) URL is refused, and so is one with a user name (RFC 9110 4.2.4).
"""

from typing import Final
from urllib.parse import unquote

import httptools
from msgspec import Struct

_PORTS: Final = {"http": 80, "https": 443}
Lines = list[tuple[bytes, bytes]]


class RequestTarget(Struct, frozen=True):
    """A parsed target; `authority` is empty unless it is in absolute form."""

    path: str
    raw_path: bytes
    query: bytes
    authority: bytes = b""
    port: int = 80
    """The default port of its scheme."""


def read_target(url: bytes) -> RequestTarget | None:
    """Return the target, or None if it is not a valid target for this server."""
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserError:
        return None
    raw_path, scheme = parsed.path or b"/", (parsed.schema or b"").lower().decode("latin-1")
    if (scheme and (scheme not in _PORTS or b"@" in _authority(url))) or not raw_path.isascii():
        return None
    path = raw_path.decode("ascii")
    path = unquote(path) if "%" in path else path
    authority = _authority(url) if scheme else b""
    return RequestTarget(path, raw_path, parsed.query or b"", authority, _PORTS.get(scheme, 80))


def named_hosts(headers: Lines, target: RequestTarget, version: str) -> Lines:
    """Return the headers with the host of an absolute target.

    If `Host` differs, both are kept, so that the check for exactly one host refuses the request.
    """
    authority = target.authority
    hosts = [value.strip(b" \t") for name, value in headers if name == b"host"]
    if any(_comparable(host, target.port) != _comparable(authority, target.port) for host in hosts):
        return [*headers, (b"host", authority)]
    if hosts or version == "1.0":
        others = [line for line in headers if line[0] != b"host"]
        return [*others, *[(b"host", authority)] * max(1, len(hosts))]
    return headers


def _authority(url: bytes) -> bytes:
    rest = url.partition(b"://")[2]
    ends = [found for mark in (b"/", b"?", b"#") if (found := rest.find(mark)) >= 0]
    return rest[: min(ends)] if ends else rest


def _comparable(authority: bytes, port: int) -> bytes:
    """Return an authority in comparable form: lower case and without the default port."""
    return authority.lower().removesuffix(b":%d" % port)
