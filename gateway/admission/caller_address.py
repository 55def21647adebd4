"""The address of a caller as policies read it. An IPv4 address in IPv6 form (`::ffff:192.0.2.1`) becomes IPv4."""

import ipaddress
from typing import Final

_MAPPED: Final = "::ffff:"


def plain_address(text: str) -> str:
    """Return the IPv4 address for one in IPv6 form, and any other text unchanged."""
    if not text.lower().startswith(_MAPPED):
        return text
    try:
        mapped = ipaddress.IPv6Address(text).ipv4_mapped
    except ValueError:
        return text
    return str(mapped or text)
