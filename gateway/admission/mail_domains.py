"""The domain of one mail address, if all readers find the same one.

Rule 1: the text is exactly one address: no display name, no brackets, no second address, no comment, no quotes.
Rule 2: the local part is a dot-atom (RFC 5322) without the characters that redirect mail to another domain: `%` and `!`
(source routes), `?` (encoded words), `|` and a backquote (programs).
Rule 3: the domain is a host name; an address in brackets has none.
"""

import re
from typing import Final

from gateway.admission.host_names import host_name

LONGEST: Final = 320
_ATOM: Final = r"[A-Za-z0-9#$&'*+/=^_{}~-]+"
_ADDRESS: Final = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>[^@\s_]*[^@\s_.])")
_LONGEST_LOCAL: Final = 64


def mail_domain(text: str) -> str | None:
    """Return the domain in the form in which it is compared; None if the text is not one plain address."""
    found = _ADDRESS.fullmatch(text) if len(text) <= LONGEST else None
    if found is None or len(found["local"]) > _LONGEST_LOCAL:
        return None
    return host_name(found["domain"])
