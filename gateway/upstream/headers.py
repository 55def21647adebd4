"""Which headers travel: to the upstream what the protocol needs, back from it what the protocol gives.

Rule 1: both ways are allow-lists; a header that nobody listed stays behind, whoever put it there.
Rule 2: a value that is not printable ASCII stays behind too: no line break, no disagreement about encodings.
"""

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
_PARAMETER: Final = "mcp-param-"
_BACK: Final = frozenset({"allow", "content-type", "mcp-protocol-version", "mcp-session-id", "retry-after"})
_OWN: Final = (("accept-encoding", "identity"), ("user-agent", f"mcp-admission/{VERSION}"))


def going(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of a request to an upstream, without its credential."""
    kept = [(name, value) for name, value in headers if _may_go(name.lower()) and _sound(value)]
    return [*kept, *_OWN]


def coming(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers of a reply that may travel to the client, in lower case."""
    found = ((name.lower(), value) for name, value in headers)
    return tuple((name, value) for name, value in found if name in _BACK and _sound(value))


def _may_go(name: str) -> bool:
    return name in _UPSTREAM or (name.startswith(_PARAMETER) and name.isascii() and name.isprintable())


def _sound(value: str) -> bool:
    return value.isascii() and (value.isprintable() or value.replace("\t", " ").isprintable())
