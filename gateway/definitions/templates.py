"""Which resource template a URI is an expansion of (RFC 6570).

Rule 1: a level 1 expression, `{name}`, stands for some characters of one path segment; any other for anything.
Rule 2: matching takes linear time, whatever the template: servers write them.
"""

import re
from typing import Final

_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z0-9_%.]+")
_ENDS_SEGMENT: Final = re.compile(r"[/?#]")


def matches(template: str, uri: str) -> bool:
    """Return whether a URI may be an expansion of a template; one without an expression is only itself."""
    literals, simple = _parts(template)
    if not simple:
        return template == uri
    if not uri.startswith(literals[0]):
        return False
    place = len(literals[0])
    for literal, is_simple, last in zip(literals[1:], simple, [*[False] * (len(simple) - 1), True], strict=True):
        found = _end(uri, place, literal) if last else uri.find(literal, place + is_simple)
        if found < place + is_simple or (is_simple and _ENDS_SEGMENT.search(uri, place, found)):
            return False
        place = found + len(literal)
    return True


def literal_length(template: str) -> int:
    """Return how many characters of a template stand for themselves: the more, the more it says."""
    return sum(map(len, _parts(template)[0]))


def _parts(template: str) -> tuple[list[str], list[bool]]:
    """Return the literals around the expressions, and for each expression whether it is of level 1."""
    pieces = _EXPRESSION.split(template)
    return pieces[::2], [_NAME.fullmatch(name) is not None for name in pieces[1::2]]


def _end(uri: str, place: int, literal: str) -> int:
    """Return where the last literal begins, which ends the URI; -1 where it does not."""
    return len(uri) - len(literal) if uri.endswith(literal) and len(uri) - len(literal) >= place else -1
