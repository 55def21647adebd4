"""The headers that are forwarded: to the upstream those that the protocol needs, to the client those that it defines.

Rule 1: both directions have an allow-list. A header that is not listed is dropped, independently of its origin.
Rule 2: a value that is not printable ASCII is dropped too: no line break, no disagreement about encodings.
"""

import re
from collections.abc import Iterable
from typing import Final

from gateway.version import VERSION

_UPSTREAM: Final = frozenset(
    {
        *("accept", "content-type", "last-event-id"),
        *("mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id"),
        *("traceparent", "tracestate", "baggage"),
    }
)
_PARAMETER: Final = re.compile(r"mcp-param-[!#$%&'*+\-.^_`|~0-9a-z]+")
_BACK: Final = frozenset({"allow", "content-type", "mcp-protocol-version", "mcp-session-id", "retry-after"})
_SOUND: Final = re.compile(r"[\t -~]*")
_OWN: Final = f"accept-encoding: identity\r\nuser-agent: mcp-admission/{VERSION}\r\n"


def going(headers: Iterable[tuple[str, str]]) -> str:
    """Return the header lines of a request to an upstream, each with a final CRLF, without its credential."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers if _may_go(name) and _sound(value)]) + _OWN


def credential_line(name: str, value: str) -> str:
    """Return the line of a credential, or the empty text if it would not be a single line."""
    return f"{name}: {value}\r\n" if _sound(name) and _sound(value) else ""


def coming(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers of a reply that may reach the client. Names are already in lower case."""
    return tuple([(name, value) for name, value in headers if name in _BACK and _sound(value)])


def _may_go(name: str) -> bool:
    return name in _UPSTREAM or _PARAMETER.fullmatch(name) is not None


def _sound(value: str) -> bool:
    return (value.isascii() and value.isprintable()) or _SOUND.fullmatch(value) is not None
