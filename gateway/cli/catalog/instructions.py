"""A server's instructions as a pin of its catalog entry, with the text for review.

Rule 1: what a server wrote is shown escaped, in ASCII and cut, as comments or lines that hold nothing else.
Rule 2: what people wrote in an entry stays. A comment names the digest of the text that it shows.
Rule 3: a server that gives no instructions is pinned to none, so that instructions that it gives later are a change.
"""

import textwrap
from collections.abc import Iterator
from typing import Any, Final, cast

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

from gateway.admission.instructions import KEY, NO_INSTRUCTIONS, pin_of
from gateway.cli.catalog.difference import Difference, State
from gateway.cli.live import escaped

_MOST: Final = 4_000
"""Characters that a review shows."""
_WIDTH: Final = 110
_NAMED: Final = 12
"""Digits of a digest that a comment names."""


def pin_instructions(document: Any, instructions: object, *, at: int | None = None) -> None:
    """Pin an entry to the instructions that a server gives; `at` is the place of a new pin, the end if it is null."""
    sha256 = pin_of(instructions)
    if _pinned(document) is not None:
        document[KEY]["sha256"] = Quoted(sha256)
        return
    document.insert(len(document) if at is None else at, KEY, CommentedMap({"sha256": Quoted(sha256)}))
    document.yaml_set_comment_before_after_key(KEY, before="\n".join(_comment(instructions, sha256)), indent=0)


def changed_lines(document: Any, instructions: object) -> list[str]:
    """Return what a person has to review because the pin of an entry is to be renewed; nothing if it stays."""
    sha256 = pin_of(instructions)
    return [] if _pinned(document) == sha256 else list(_comment(instructions, sha256))


def instructions_difference(entry: Any, instructions: object) -> list[Difference]:
    """Return how a server's instructions stand to the pin; nothing if there are none, and none are pinned."""
    pin = _pinned(entry)
    shown = pin_of(instructions)
    if shown == NO_INSTRUCTIONS and pin in {None, NO_INSTRUCTIONS}:
        return []
    if pin is None:
        return [_difference("unpinned")]
    if pin == shown:
        return [_difference("unchanged")]
    if NO_INSTRUCTIONS not in {pin, shown}:
        return [_difference("drifted", "description")]
    return [_difference("added", "added") if pin == NO_INSTRUCTIONS else _difference("removed", "removed")]


def _pinned(entry: Any) -> str | None:
    """Return the digest in an entry; null if it has none."""
    known: object = entry.get(KEY)
    sha256 = cast("dict[str, object]", known).get("sha256") if isinstance(known, dict) else None
    return None if sha256 is None else str(sha256)


def _difference(state: State, *classes: str) -> Difference:
    return Difference(section=KEY, key="", state=state, classes=classes, parts=(KEY,) if state == "drifted" else ())


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
