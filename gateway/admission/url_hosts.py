"""The host of an absolute URL, if all readers find the same one.

Rule 1: a URL that a reader of RFC 3986 and a reader of the WHATWG URL Standard may understand differently has no host:
a backslash, space or control character anywhere, a user before the host, an escape in it, an address in a form other
than four decimal numbers, an odd port, a missing slash.
Rule 2: only schemes whose hosts both documents define have one. `file` has none, because some readers take its host for
a path.
"""

import re
from typing import Final

from gateway.admission.host_names import host_name, ipv4_address, ipv6_address

LONGEST: Final = 8192
_URL: Final = re.compile(r"(?:https?|wss?|ftp)://(?P<authority>[^/?#]+)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_AUTHORITY: Final = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@%]+))(?::(?P<port>[1-9][0-9]{0,4}))?")
_HIGHEST_PORT: Final = 65535


def url_host(text: str) -> str | None:
    """Return the host in the form in which it is compared; None if readers may disagree about it."""
    if len(text) > LONGEST or not text.isprintable() or " " in text or "\\" in text:
        return None
    url = _URL.fullmatch(text)
    if url is None or "@" in url["rest"].partition("/")[0]:
        return None  # an `@` in a query or fragment that follows the host at once: some readers end the host there
    found = _AUTHORITY.fullmatch(url["authority"])
    if found is None or int(found["port"] or 1) > _HIGHEST_PORT:
        return None
    if found["ipv6"]:
        return ipv6_address(found["ipv6"])
    return ipv4_address(found["name"]) or host_name(found["name"])
