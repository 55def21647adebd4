"""Matching of URIs to resource templates (RFC 6570).

Rule 1: a level 1 expression, `{name}`, matches one or more characters of a path segment. Any other matches anything.
Rule 2: matching takes linear time for every template, because servers write them.
"""

import re
from typing import Final

_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z0-9_%.]+")
_ENDS_SEGMENT: Final = re.compile(r"[/?#]")


def matches(template: str, uri: str) -> bool:
    """Return whether a URI may be an expansion of a template. A template without an expression matches only itself."""
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
    """Return the number of literal characters of a template. The more it has, the more specific it is."""
    return sum(map(len, _parts(template)[0]))


def _parts(template: str) -> tuple[list[str], list[bool]]:
    """Return the literals around the expressions, and whether each expression is of level 1."""
    pieces = _EXPRESSION.split(template)
    return pieces[::2], [_NAME.fullmatch(name) is not None for name in pieces[1::2]]


def _end(uri: str, place: int, literal: str) -> int:
    """Return the position of the last literal, which must end the URI, or -1 if it does not."""
    return len(uri) - len(literal) if uri.endswith(literal) and len(uri) - len(literal) >= place else -1
