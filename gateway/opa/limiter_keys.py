"""Whose a question is, where callers share what they may ask of OPA.

Rule 1: only who proved to be somebody counts alone: a principal of a verified token, and a service token that policy
was seen to know. Everybody else can take as many names as they like, and counts by the address that they come from.
Rule 2: what is remembered of service tokens is bounded; a forgotten one counts by its address until its next decision.
"""

import ipaddress
from collections import OrderedDict
from functools import lru_cache
from typing import Final

from gateway.admission.decision import Decision
from gateway.admission.policy_input import PolicyInput
from gateway.admission.principal import Principal

REMEMBERED: Final = 10_000
"""Service tokens that policy is known to know."""
_ADDRESSES: Final = 4_096
_SITE: Final = 64
"""Bits of an IPv6 address that a site cannot choose."""


class LimiterKeys:
    """Names callers; one per worker."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        """Begin with no known token."""
        self._remembered: Final = remembered
        self._known: Final[OrderedDict[str, None]] = OrderedDict()

    def key(self, question: PolicyInput) -> str:
        """Return the name under which a question takes a place."""
        return self.caller(question.principal, question.context.source_ip)

    def caller(self, principal: Principal, source_ip: str) -> str:
        """Return the name under which whatever a principal sends from an address is counted."""
        if principal.method == "token" and (principal.credential_sha256 or "") not in self._known:
            return source_of(source_ip)
        return source_of(source_ip) if principal.method == "none" else principal.key

    def decided(self, question: PolicyInput, decision: Decision) -> None:
        """Remember that policy knows the agent of a service token."""
        digest = question.principal.credential_sha256
        if question.principal.method != "token" or not digest or decision.resolved.agent is None:
            return
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)


@lru_cache(maxsize=_ADDRESSES)
def source_of(source_ip: str) -> str:
    """Return the address, cut to the site where one site has more of them than anybody counts."""
    try:
        address = ipaddress.ip_address(source_ip)
    except ValueError:
        return source_ip
    if isinstance(address, ipaddress.IPv4Address):
        return source_ip
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _SITE), strict=False))
