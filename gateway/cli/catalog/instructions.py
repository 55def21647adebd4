"""A server's instructions as a pin of its catalog entry, with the text for review.

Rule 1: the full text is stored next to its digest as `reviewed`. If a catalog cannot contain it, a comment shows the
beginning, escaped and in ASCII, and the digest.
Rule 2: text written by people in an entry stays.
Rule 3: a server without instructions is pinned to none, so that later instructions count as a change.
"""

import textwrap
from collections.abc import Iterator
from typing import Any, Final, cast

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

from gateway.admission.definition_line_changes import NOT_KEPT
from gateway.admission.definition_line_changes import changed_lines as changed
from gateway.admission.instructions import KEY, NO_INSTRUCTIONS, pin_of
from gateway.cli.catalog.difference import PinDifference, State
from gateway.cli.catalog.reviewed_text import reviewed_parts
from gateway.cli.live_decisions import escaped

_MOST: Final = 4_000
"""Characters that a review shows."""
_WIDTH: Final = 110
_NAMED: Final = 12
"""Digits of a digest in a comment."""


def pin_instructions(document: Any, instructions: object, *, at: int | None = None) -> None:
    """Pin an entry to the server's instructions; `at` is the position of a new pin, the end if it is null."""
    sha256 = pin_of(instructions)
    is_new = _pinned(document) is None
    if is_new:
        document.insert(len(document) if at is None else at, KEY, CommentedMap())
    document[KEY]["sha256"] = Quoted(sha256)
    document[KEY].pop("reviewed", None)
    held: Any = reviewed_parts({"reviewed": instructions or ""})[0] if _is_text(instructions) else {}
    document[KEY].update(held)
    if is_new and not held:
        document.yaml_set_comment_before_after_key(KEY, before="\n".join(_comment(instructions, sha256)), indent=0)


def changed_lines(document: Any, instructions: object) -> list[str]:
    """Return the lines to review if the pin of an entry will change; nothing if it stays."""
    sha256 = pin_of(instructions)
    if _pinned(document) == sha256:
        return []
    known = _reviewed(document)
    if known is None or not _is_text(instructions):
        return list(_comment(instructions, sha256))
    return ["The instructions that the server gives to models have changed:", *_changed(known, instructions)]


def instructions_difference(entry: Any, instructions: object) -> list[PinDifference]:
    """Return the difference of a server's instructions from the pin; nothing if both are absent."""
    pin = _pinned(entry)
    shown = pin_of(instructions)
    if shown == NO_INSTRUCTIONS and pin in {None, NO_INSTRUCTIONS}:
        return []
    if pin is None:
        return [_difference("unpinned")]
    if pin == shown:
        return [_difference("unchanged")]
    lines = _changed(_reviewed(entry), instructions)
    if NO_INSTRUCTIONS not in {pin, shown}:
        return [_difference("drifted", "description", lines=lines)]
    return [_difference("added" if pin == NO_INSTRUCTIONS else "removed", lines=lines)]


def _pinned(entry: Any) -> str | None:
    """Return the digest in an entry; null if it has none."""
    known: object = entry.get(KEY)
    sha256 = cast("dict[str, object]", known).get("sha256") if isinstance(known, dict) else None
    return None if sha256 is None else str(sha256)


def _reviewed(entry: Any) -> str | None:
    """Return the reviewed text in an entry; null if it has none."""
    known: object = entry.get(KEY)
    text = cast("dict[str, object]", known).get("reviewed") if isinstance(known, dict) else None
    return str(text) if isinstance(text, str) else None


def _is_text(instructions: object) -> bool:
    return instructions is None or isinstance(instructions, str)


def _changed(known: str | None, instructions: object) -> list[str]:
    old = {KEY: known} if known else {}
    return [
        *([] if known is not None else [NOT_KEPT.format(KEY)]),
        *changed(old, {KEY: instructions} if instructions else {}),
    ]


def _difference(state: State, *classes: str, lines: list[str] | None = None) -> PinDifference:
    told = classes or ((state,) if state in {"added", "removed"} else ())
    parts = (KEY,) if state == "drifted" else ()
    return PinDifference(section=KEY, key="", state=state, classes=told, parts=parts, lines=tuple(lines or ()))


def _comment(instructions: object, sha256: str) -> Iterator[str]:
    if sha256 == NO_INSTRUCTIONS:
        yield "The server gives no instructions."
        return
    yield f"The instructions that the server gives to models, with the digest {sha256[:_NAMED]}...; review them:"
    text = instructions if isinstance(instructions, str) else repr(instructions)
    for line in _ascii(text[:_MOST]).split("\n"):
        yield from (f"  {part}" for part in textwrap.wrap(line, _WIDTH))
    if len(text) > _MOST:
        yield f"  ... and {len(text) - _MOST} more characters"


def _ascii(text: str) -> str:
    return "\n".join(escaped(line).encode("ascii", "backslashreplace").decode() for line in text.split("\n"))
