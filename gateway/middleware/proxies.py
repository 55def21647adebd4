"""The address of the caller if proxies stand in front of the gateway.

Rule 1: only peers in the settings are trusted, and a hop that they report counts only as far as it is trusted too.
Rule 2: a listener for IPv4 and IPv6 sees IPv4 addresses in their IPv6 form. Policies read the IPv4 address.
Rule 3: an invalid address ends the chain. The last trusted hop then counts as the caller.
"""

import ipaddress
from collections.abc import Awaitable, Sequence
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admission.caller_address import plain_address
from gateway.middleware.reject import values

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """Sets `scope["client"]` from `X-Forwarded-For` of trusted peers. The header of other peers is ignored."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        networks = [ipaddress.ip_network(network) for network in trusted]

        def is_trusted(address: Address) -> bool:
            return any(address in network for network in networks)

        self._app = app
        self._trusted = lru_cache(maxsize=1024)(is_trusted)
        self._any = bool(networks)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            peer = scope.get("client")
            seen = peer[0] if peer else ""
            caller = self._caller(seen, scope) if self._any else None
            if caller is not None:
                scope = {**scope, "client": (caller, 0)}
            elif peer and plain_address(seen) != seen:
                scope = {**scope, "client": (plain_address(seen), *peer[1:])}
        return self._app(scope, receive, send)

    def _caller(self, peer: str, scope: Scope) -> str | None:
        """Return the nearest address that is not a trusted proxy, or None if the peer is not trusted."""
        address = _address(peer)
        if address is None or not self._trusted(address):
            return None
        hops = [hop for value in values(scope, b"x-forwarded-for") for hop in value.split(",")]
        for hop in reversed(hops):
            reported = _address(hop.strip())
            if reported is None:
                break
            address = reported
            if not self._trusted(reported):
                break
        return str(address)


def _address(text: str) -> Address | None:
    """Return the address, with or without a port. An IPv4 address in IPv6 form becomes the IPv4 address."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
