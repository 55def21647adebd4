"""Check of the hosts and origins of this gateway, against DNS rebinding and pages of other sites.

Rule 1: a request names exactly one host, which must be one of the gateway's. Wildcards are not supported, and the
connection is not used as a hint.
Rule 2: an Origin is optional, because only browsers send it. If present, it must be allowed, and `null` never is.
Rule 3: a name without a port matches every port, because rebinding changes names, and ports are forwarded.
"""

import re
from collections.abc import Awaitable, Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.middleware.reject import Notice, RejectedRequest, header_text, turn_away

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
PORTS: Final = {"http": "80", "https": "443"}
_HOST_CHARS: Final = 255
"""Maximum length of a `Host` that is cached. A client could fill the memory with longer ones."""
_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)

HOST: Final = RejectedRequest(
    code="host_refused",
    status=403,
    reason="The Host header does not name this gateway (setting listen.allowed_hosts).",
)
ORIGIN: Final = RejectedRequest(
    code="origin_refused",
    status=403,
    reason="Pages of this Origin may not use this gateway (setting listen.allowed_origins).",
)


class AllowedHosts:
    """The hosts and origins of the public URL, the listed ones, and those of loopback on a loopback listener."""

    def __init__(self, public_url: str, *, hosts: Iterable[str], origins: Iterable[str], loopback: bool) -> None:
        url = urlsplit(public_url)
        own = {_authority(url.netloc)[0], *(LOOPBACK if loopback else ())}
        listed = {_authority(host) for host in hosts}
        self._port = PORTS.get(url.scheme, "")
        self._names = own | {name for name, port in listed if not port}
        self._exact = {(name, port) for name, port in listed if port}
        self._origins = {_origin(public_url), *(_origin(origin) for origin in origins)}
        self._loopback = loopback
        self._known = lru_cache(maxsize=256)(self._is_ours)

    def host(self, value: str) -> bool:
        """Return whether a `Host` names this gateway."""
        return self._known(value) if len(value) <= _HOST_CHARS else self._is_ours(value)

    def origin(self, value: str) -> bool:
        """Return whether pages of an `Origin` may use this gateway."""
        origin = _origin(value)
        return origin in self._origins or (self._loopback and origin[1] in LOOPBACK)

    def _is_ours(self, host: str) -> bool:
        name, port = _authority(host)
        return name in self._names or (name, port or self._port) in self._exact


class HostAndOrigin:
    """Rejection of requests that are not meant for this gateway, or come from a page of another site."""

    def __init__(self, app: ASGIApp, notice: Notice, names: AllowedHosts) -> None:
        self._app = app
        self._notice = notice
        self._names = names

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        refused = self._refused(scope) if scope["type"] == "http" else None
        if refused is None:
            return self._app(scope, receive, send)
        return turn_away(scope, send, self._notice, refused)

    def _refused(self, scope: Scope) -> RejectedRequest | None:
        hosts: list[bytes] = []
        origins: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"host":
                hosts.append(value)
            elif name == b"origin":
                origins.append(value)
        if len(hosts) != 1 or not self._names.host(header_text(hosts[0])):
            return HOST
        if origins and (len(origins) > 1 or not self._names.origin(header_text(origins[0]))):
            return ORIGIN
        return None


def _authority(text: str) -> tuple[str, str]:
    """Return name and port. The port is empty if there is none. Both are empty for an invalid authority."""
    match = _AUTHORITY.fullmatch(text)
    return (match[1].lower(), match[2] or "") if match else ("", "")


def _origin(text: str) -> tuple[str, str, str]:
    """Return scheme, name and port of an origin. The scheme is empty for an invalid web origin, such as `null`."""
    scheme, separator, authority = text.rstrip("/").partition("://")
    name, port = _authority(authority)
    if not separator or not name or scheme.lower() not in PORTS:
        return ("", "", text)
    return (scheme.lower(), name, port or PORTS[scheme.lower()])
