"""The width of text in a terminal: some letters take two columns, and combining marks take none.

Rule 1: a result is never wider than requested; a cut text ends with a mark.
"""

import unicodedata
from typing import Final

MARK: Final = "…"


def columns(text: str) -> int:
    """Return the number of columns that a printable text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, width: int) -> str:
    """Return the text, or as much of it as fits, followed by a mark."""
    if columns(text) <= width:
        return text
    kept, left = 0, width - 1
    for letter in text:
        left -= _columns(letter)
        if left < 0:
            break
        kept += 1
    return text[:kept] + MARK if width > 0 else ""


def padded(text: str, width: int) -> str:
    """Return the text, padded with spaces to the width."""
    return text + " " * (width - columns(text))


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
