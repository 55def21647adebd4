"""The words of a definition line by line, and the lines that changed since it was reviewed.

Rule 1: a text is cut at its own lines and after its sentences (the next one then begins with its space); any other
value is indented JSON with sorted keys.
Rule 2: invisible characters and backslashes are escaped: two values that differ never have the same lines.
Rule 3: lines for a log are few and short, and say what they leave out; a long line is shown around its change.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from msgspec import Struct

from gateway.admission.digests import digest
from gateway.admission.visible import visible

_SENTENCE: Final = re.compile(r"(?<=[.!?:;])(?= \S)")
_MOST_COMPARED: Final = 2_000
"""Lines of one part that are compared one by one; beyond that the whole part counts as changed."""
_BEFORE: Final = 40
"""Characters that are shown before the first change of a long line."""


class Bounds(Struct, frozen=True, kw_only=True):
    """How many changed lines are shown, and how many characters of each; none: all."""

    lines: int | None = None
    characters: int | None = None


ALL: Final = Bounds()
NOT_KEPT: Final = "? {}: its reviewed words are not in the catalog"
FOR_LOG: Final = Bounds(lines=20, characters=200)


def changed_lines(reviewed: Mapping[str, Any], shown: Mapping[str, Any], bounds: Bounds = ALL) -> list[str]:
    """Return the lines that differ between two sets of parts: `- part: line` went, `+ part: line` came."""
    found = [line for part in _parts(reviewed, shown) for line in _changed(part, reviewed, shown, bounds)]
    if bounds.lines is None or len(found) <= bounds.lines:
        return found
    return [*found[: bounds.lines], f"... and {len(found) - bounds.lines} more changed lines"]


def reviewed_changes(target: Mapping[str, Any], shown: Mapping[str, Any], bounds: Bounds = ALL) -> list[str]:
    """Return the lines of a definition that changed since it was pinned in the entry of a catalog.

    `shown` are the parts of the definition that the server presents now (`gateway.admission.digests.grouped`).
    """
    pin: Mapping[str, Any] = target.get("pin", {})
    pinned: Mapping[str, Any] = pin.get("parts", {})
    reviewed: Mapping[str, Any] = target.get("reviewed", {})
    differ = [part for part in _parts(pinned, shown) if part not in shown or digest(shown[part]) != pinned.get(part)]
    missing = [NOT_KEPT.format(visible(part)) for part in differ if part in pinned and part not in reviewed]
    old, new = ({part: side[part] for part in differ if part in side} for side in (reviewed, shown))
    return [*missing, *changed_lines(old, new, bounds)]


def _parts(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(one.keys() | other.keys())


def _changed(part: str, reviewed: Mapping[str, Any], shown: Mapping[str, Any], bounds: Bounds) -> Iterator[str]:
    old, new = (lines_of(parts[part]) if part in parts else [] for parts in (reviewed, shown))
    name = visible(part)
    for before, after in _runs(old, new):
        for number in range(max(len(before), len(after))):
            gone, come = (side[number] if number < len(side) else None for side in (before, after))
            start = _window(gone, come, bounds)
            if gone is not None:
                yield f"- {name}: {_cut(gone, start, bounds)}"
            if come is not None:
                yield f"+ {name}: {_cut(come, start, bounds)}"


def lines_of(value: Any) -> list[str]:
    """Return the lines of one part of a definition."""
    if isinstance(value, str):
        pieces = [piece for line in value.split("\n") for piece in _SENTENCE.split(line)]
        return [visible(piece.replace("\\", "\\\\")) for piece in pieces]
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    return [visible(line) for line in text.split("\n")]


def _runs(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield the runs of lines that differ."""
    if max(len(old), len(new)) > _MOST_COMPARED:
        if old != new:
            yield old, new
        return
    for kind, old_start, old_end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield old[old_start:old_end], new[new_start:new_end]


def _window(gone: str | None, come: str | None, bounds: Bounds) -> int:
    """Return where the shown text of a changed line begins."""
    if bounds.characters is None or gone is None or come is None:
        return 0
    same = next((at for at, (one, other) in enumerate(zip(gone, come, strict=False)) if one != other), 0)
    return max(0, same - _BEFORE) if same > bounds.characters - _BEFORE else 0


def _cut(line: str, start: int, bounds: Bounds) -> str:
    if bounds.characters is None or (not start and len(line) <= bounds.characters):
        return line
    end = start + bounds.characters
    return f"{'...' if start else ''}{line[start:end]}{'...' if end < len(line) else ''}"
