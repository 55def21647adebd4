"""The one form in which hosts and domains are compared: lower-case A-labels (RFC 5890) without a trailing dot.

Rule 1: a name that readers may take for another name has no form. IDNA 2003 and IDNA 2008 read some characters
differently, and UTS 46 replaces others: only a label that all three encode alike has a form.
Rule 2: a name whose last label is a number has no form: some readers take it for an IPv4 address, others for a name.
Rule 3: an IPv6 address that embeds an IPv4 address has no form: rules name the IPv4 address.
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network
from typing import Final

import idna

_LONGEST: Final = 253
_LONGEST_LABEL: Final = 63
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_JOINERS: Final = frozenset("\u200c\u200d")
"""Characters that IDNA 2003 removes."""
_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
"""The Kelvin sign, which `str.lower` would turn into an ASCII `k`."""
_CARRIERS: Final = tuple(
    map(IPv6Network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"))
)
"""IPv4-mapped and IPv4-translated addresses, both prefixes of NAT64, Teredo and 6to4."""
_COMPATIBLE: Final = IPv6Network("::/96")
_UNSPECIFIED_OR_LOOPBACK: Final = 1


def host_name(text: str) -> str | None:
    """Return the compared form of a host name; None if readers may disagree about it."""
    name = text.translate(_LOWER).removesuffix(".")
    labels = [_label(label) for label in name.split(".")] if 0 < len(name) <= _LONGEST else []
    made = [label for label in labels if label is not None]
    if not labels or len(made) < len(labels) or _NUMBER.fullmatch(made[-1]):
        return None
    joined = ".".join(made)
    return joined if len(joined) <= _LONGEST else None


def ipv4_address(text: str) -> str | None:
    """Return an IPv4 address of four decimal numbers without leading zeros; None for anything else."""
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        return None


def ipv6_address(text: str) -> str | None:
    """Return the compressed form of an IPv6 address without a zone; None for anything else."""
    if "%" in text:
        return None
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    carries = any(address in network for network in _CARRIERS)
    compatible = address in _COMPATIBLE and int(address) > _UNSPECIFIED_OR_LOOPBACK
    return None if carries or compatible else address.compressed


def _label(label: str) -> str | None:
    if label.isascii() and not label.startswith("xn--"):
        return label if _LABEL.fullmatch(label) else None
    return _international(label) if len(label) <= _LONGEST_LABEL else None


@lru_cache(maxsize=512)
def _international(label: str) -> str | None:
    """Return the A-label of a U-label, or of itself; the mapping steps of IDNA 2003 and UTS 46 would change nothing."""
    if not label == label.lower() == label.casefold() or _JOINERS & set(label):
        return None
    try:
        encoded = idna.alabel(label).decode()
        return encoded if not label.isascii() or idna.alabel(idna.ulabel(label)).decode() == label else None
    except idna.IDNAError:
        return None
