"""The width of text in a terminal: letters of two columns, and marks of none.

Rule 1: nothing here is wider than it was asked for; what was cut ends with a mark.
"""

import unicodedata
from typing import Final

MARK: Final = "…"


def columns(text: str) -> int:
    """Return how many columns a printable text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, width: int) -> str:
    """Return the text, or as much of it as fits with a mark behind it."""
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
    """Return the text with spaces up to the width."""
    return text + " " * (width - columns(text))


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
