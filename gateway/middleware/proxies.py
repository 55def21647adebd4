"""The address that a request comes from, where proxies stand in front.

Rule 1: only a peer that the settings name is believed, and each hop it reports only as far as it is trusted too.
Rule 2: a listener for IPv4 and IPv6 sees IPv4 addresses in their IPv6 form; policies read the IPv4 address.
Rule 3: what cannot be read as an address ends the chain: the last trusted hop stands for the caller.
"""

import ipaddress
from collections.abc import Awaitable, Sequence
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admission.addresses import plain_address
from gateway.middleware.reject import values

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """Puts the caller's address in `scope["client"]`, from `X-Forwarded-For` of trusted peers; others' is ignored."""

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
        """The nearest address that is not a trusted proxy's; None where the peer is not to be believed."""
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
    """The address, with or without a port behind it; an IPv4 address in IPv6 clothes is the IPv4 address."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
