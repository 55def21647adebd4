"""Characters that a reader cannot see, and texts in which each of them is written as its escape."""

import re
import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_IGNORED: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
"""Characters without a shape, although their category is that of letters, marks or symbols."""


def is_unseen(letter: str) -> bool:
    """Return whether a reader cannot see a character, or takes it for a space."""
    category = unicodedata.category(letter)
    return category in _UNSEEN or (category == "Zs" and letter != " ") or bool(_IGNORED.match(letter))


def escape(letter: str) -> str:
    """Return a character as JSON and YAML escape it; beyond U+FFFF as YAML does."""
    code = ord(letter)
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def visible(text: str) -> str:
    """Return a text in which every character can be seen."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(escape(letter) if is_unseen(letter) else letter for letter in text)
