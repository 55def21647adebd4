"""Common mistakes in YAML, each with its fix.

Rule 1: an invisible character must be written as an escape in double quotes.
Rule 2: a value that other parsers read differently is refused: numbers with a leading zero.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from gateway.admission.visible_text import escape, is_unseen
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.yaml_events import NotYaml

BOM: Final = "\ufeff"
_LINE_ENDS: Final = frozenset("\t\n\r")
_MOST: Final = 20
_INDENTED_BY_TAB: Final = re.compile(r" *\t")
_INDICATOR: Final = re.compile(r"(?:^|[\s\[{,])(?P<text>[*&!%@`][^\s,\]}]*)")
_TEMPLATE: Final = re.compile(r"\$\{|\{\{")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+")
_QUOTES: Final = frozenset("\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b")
_SYNTAX: Final = "Correct the syntax (indentation, quotes, brackets)."


def unseen_characters(file: str, text: str) -> Iterator[Problem]:
    """Yield a problem for the first invisible character of each line."""
    if text.isascii() and text.isprintable():
        return
    found = 0
    for number, line in enumerate(text.split("\n"), 1):
        letter = next((each for each in line if each not in _LINE_ENDS and is_unseen(each)), None)
        if letter is not None and found < _MOST:
            found += 1
            name = unicodedata.name(letter, "a control character").lower()
            remedy = f'Remove it or write a space. If it is intended, write "{escape(letter)}" in double quotes.'
            yield Problem(file, number, f"has U+{ord(letter):04X} ({name}), which is invisible.", remedy)


def remedy(text: str, wrong: NotYaml) -> str:
    """Return the fix for a text that is not YAML."""
    lines = text.split("\n")
    near = [lines[number] for number in (wrong.line - 1, wrong.line - 2) if 0 <= number < len(lines)]
    if any(map(_INDENTED_BY_TAB.match, near)) or "'\\t'" in wrong.said:
        return "Use spaces: YAML does not allow tabs in the indentation."
    if near and _TEMPLATE.search(near[0]):
        return "Replace the placeholder with a value."
    begun = _INDICATOR.search(near[0]) if near else None
    if begun is not None and ("alias" in wrong.said or "anchor" in wrong.said or "cannot start" in wrong.said):
        return f'Quote it: "{begun["text"]}". Without quotes, `{begun["text"][0]}` is special in YAML.'
    if "mapping values are not allowed" in wrong.said:
        return "Correct the indentation, or put a value that contains `: ` in quotes."
    return _SYNTAX


def plain_scalar(text: str) -> tuple[str, str] | None:
    """Return what is wrong with an unquoted value, and the fix; None if it is correct."""
    if _LEADING_ZERO.fullmatch(text):
        said = f"has the number `{text[:30]}`, which some parsers read as octal."
        return said, "Write it without the leading zero, or in quotes if it is a string."
    if text[:1] in _QUOTES and text:
        return (
            f"has the typographic quote `{text[0]}`, which is not a quote in YAML.",
            "Use the straight quotes \" or '.",
        )
    return None
