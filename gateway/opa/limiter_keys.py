"""Limiter keys: the identity of a caller when callers share OPA.

Rule 1: only an authenticated caller has a key of its own: a principal of a verified token, or a service token that
policy has recognized. Other callers can choose any number of names and share the key of their address.
Rule 2: the number of remembered service tokens is bounded. A forgotten token uses the key of its address until its next
decision.
"""

import ipaddress
from collections import OrderedDict
from functools import lru_cache
from typing import Final

from gateway.admission.decision import Decision
from gateway.admission.policy_input import PolicyInput
from gateway.admission.principal import Principal

REMEMBERED: Final = 10_000
"""Service tokens that policy has recognized."""
_ADDRESSES: Final = 4_096
_SITE: Final = 64
"""Bits of an IPv6 address that a site cannot choose."""


class LimiterKeys:
    """The keys of one worker's callers."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        """Begin with no known token."""
        self._remembered: Final = remembered
        self._known: Final[OrderedDict[str, None]] = OrderedDict()

    def key(self, question: PolicyInput) -> str:
        """Return the key under which a query takes a slot."""
        return self.caller(question.principal, question.context.source_ip)

    def caller(self, principal: Principal, source_ip: str) -> str:
        """Return the limiter key for requests of a principal from an address."""
        if principal.method == "token" and (principal.credential_sha256 or "") not in self._known:
            return source_of(source_ip)
        return source_of(source_ip) if principal.method == "none" else principal.key

    def decided(self, question: PolicyInput, decision: Decision) -> None:
        """Remember a service token whose agent the policy knows."""
        digest = question.principal.credential_sha256
        if question.principal.method != "token" or not digest or decision.resolved.agent is None:
            return
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)


@lru_cache(maxsize=_ADDRESSES)
def source_of(source_ip: str) -> str:
    """Return the address; of an IPv6 address only the network, because one site has too many addresses to count."""
    try:
        address = ipaddress.ip_address(source_ip)
    except ValueError:
        return source_ip
    if isinstance(address, ipaddress.IPv4Address):
        return source_ip
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _SITE), strict=False))
