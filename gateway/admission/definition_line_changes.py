"""The text of a definition line by line, and the lines that changed since it was reviewed.

Rule 1: a text is cut at its own line ends and after its sentences (the next one then begins with its space). Any other
value is indented JSON with sorted keys.
Rule 2: invisible characters and backslashes are escaped, so two values that differ never have the same lines.
Rule 3: log lines are few and short, and state what they leave out. A long line is shown around its change.
Rule 4: the number of compared lines is limited: the server chooses its text, and comparing takes cubic time at worst.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from msgspec import Struct

from gateway.admission.digests import digest, stated
from gateway.admission.visible_text import visible

_SENTENCE: Final = re.compile(r"(?<=[.!?:;])(?= \S)")
_BEFORE: Final = 40
"""Number of characters shown before the first change of a long line."""


class DiffBounds(Struct, frozen=True, kw_only=True):
    """Limits of the changed lines that are shown, and of the characters of each; none: all."""

    lines: int | None = None
    characters: int | None = None
    compared: int = 1_000
    """Most lines of one part, between the first and the last change, that are compared; beyond it, all count as
    changed."""


ALL: Final = DiffBounds()
NOT_KEPT: Final = "? {}: its reviewed words are not in the catalog"
_NOT_SHOWN: Final = "? {}: it has changed and is too long, or nests too deep, to be compared in a log"
_SAME_LINES: Final = "? {}: it has changed in a way that its lines do not show"
FOR_LOG: Final = DiffBounds(lines=20, characters=200, compared=200)


def changed_lines(reviewed: Mapping[str, Any], shown: Mapping[str, Any], bounds: DiffBounds = ALL) -> list[str]:
    """Return the lines that differ between two sets of parts: `- part: line` was removed, `+ part: line` was added."""
    return _shortened(
        [line for part in _parts(reviewed, shown) for line in _changed(part, reviewed, shown, bounds)], bounds
    )


def reviewed_changes(
    target: Mapping[str, Any],
    shown: Mapping[str, Any],
    bounds: DiffBounds = ALL,
    *,
    digests: Mapping[str, str] | None = None,
    unkept: str = NOT_KEPT,
) -> list[str]:
    """Return the lines of a definition that changed since it was pinned in the entry of a catalog.

    `shown` are the parts of the definition that the server presents now (`gateway.admission.digests.grouped`).
    `digests` are those of all its parts, if `shown` lacks some of them. `unkept` is the note for a pinned part without
    text.
    """
    pin: Mapping[str, Any] = target.get("pin", {})
    pinned = stated(pin.get("parts", {}))
    reviewed: Mapping[str, Any] = target.get("reviewed", {})
    known = stated({part: digest(value) for part, value in shown.items()} if digests is None else digests)
    differ = [part for part in _parts(pinned, known) if pinned.get(part) != known.get(part)]
    compared = [part for part in differ if part in shown or part not in known]
    lines = {part: list(_changed(part, reviewed, shown, bounds)) for part in compared}
    notes = {part: unkept for part in differ if part in pinned and part not in reviewed}
    notes |= {part: _SAME_LINES for part in compared if part in reviewed and not lines[part]}
    notes |= {part: _NOT_SHOWN for part in differ if part not in compared}
    told = [words.format(visible(part)) for part, words in sorted(notes.items())]
    return [*told, *_shortened([line for each in lines.values() for line in each], bounds)]


def _shortened(lines: list[str], bounds: DiffBounds) -> list[str]:
    if bounds.lines is None or len(lines) <= bounds.lines:
        return lines
    return [*lines[: bounds.lines], f"... and {len(lines) - bounds.lines} more changed lines"]


def _parts(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(one.keys() | other.keys())


def _changed(part: str, reviewed: Mapping[str, Any], shown: Mapping[str, Any], bounds: DiffBounds) -> Iterator[str]:
    old, new = (_pieces(parts[part]) if part in parts else [] for parts in (reviewed, shown))
    name = visible(part)
    for before, after in _runs(old, new, bounds):
        for number in range(max(len(before), len(after))):
            gone, come = (side[number] if number < len(side) else None for side in (before, after))
            start = _window(gone, come, bounds)
            if gone is not None:
                yield f"- {name}: {_cut(gone, start, bounds)}"
            if come is not None:
                yield f"+ {name}: {_cut(come, start, bounds)}"


def lines_of(value: Any) -> list[str]:
    """Return the lines of one part of a definition."""
    return [visible(piece) for piece in _pieces(value)]


def _pieces(value: Any) -> list[str]:
    """Return the lines of one part, which may still contain invisible characters."""
    if isinstance(value, str):
        text = value.replace("\\", "\\\\")
        return [piece for line in text.split("\n") for piece in _SENTENCE.split(line)]
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).split("\n")


def _runs(old: Sequence[str], new: Sequence[str], bounds: DiffBounds) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield the runs of lines that differ."""
    old, new = _between(old, new)
    if max(len(old), len(new)) > bounds.compared or not (old and new):
        if old or new:
            yield old, new
        return
    for kind, old_start, old_end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield old[old_start:old_end], new[new_start:new_end]


def _between(old: Sequence[str], new: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return both lists without their common first and last lines."""
    shorter = min(len(old), len(new))
    start = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    left = shorter - start
    end = next((at for at in range(left) if old[-1 - at] != new[-1 - at]), left)
    return old[start : len(old) - end], new[start : len(new) - end]


def _window(gone: str | None, come: str | None, bounds: DiffBounds) -> int:
    """Return the start of the shown text of a changed line."""
    if bounds.characters is None or gone is None or come is None:
        return 0
    same = next((at for at, (one, other) in enumerate(zip(gone, come, strict=False)) if one != other), 0)
    return max(0, same - _BEFORE) if same > bounds.characters - _BEFORE else 0


def _cut(line: str, start: int, bounds: DiffBounds) -> str:
    if bounds.characters is None:
        return visible(line)
    text = visible(line[start : start + bounds.characters + 1])
    more = len(text) > bounds.characters
    return f"{'...' if start else ''}{text[: bounds.characters]}{'...' if more else ''}"
