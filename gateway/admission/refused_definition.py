"""A definition that policy hides from clients, with the server's own words, and those words as a text.

Rule 1: the text is bounded, and so is the work of making it. A part that is too long or nested too deep is left out,
and only its digest shows that it exists.
Rule 2: the text is ASCII, and any JSON value can be in it, including unpaired surrogates.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.admission.digests import PARTS
from gateway.admission.instructions import KEY, RemovedInstructions
from gateway.admission.policy_input import Definition, Target

MOST_CHARACTERS: Final = 100_000
"""Most characters of one part; a catalog holds no longer one."""
_MOST_TOGETHER: Final = 200_000
_MOST_LEVELS: Final = 100
_EACH: Final = 8
"""Characters that any value counts for, at least."""


class RefusedDefinition(Struct, frozen=True, kw_only=True):
    """A target's definition as the server presents it, or its instructions, and the policy that refuses it."""

    server: str
    kind: str
    """The type of the target, or `instructions`."""
    target: str
    """Its name or URI; empty for instructions."""
    sha256: str
    revision: str
    """Revision of the policy."""
    digests: Mapping[str, str]
    """Digests of all parts of the definition."""
    words: Mapping[str, Any]
    """The parts as the server sent them; empty if they are not available."""


class PresentedWords(Struct, frozen=True, kw_only=True):
    """The content of a text about a definition: the digests of all parts, and the words of the short ones."""

    target: str
    digests: dict[str, str]
    words: dict[str, Any]


def refused_target(
    server: str, target: Target, definition: Definition, *, revision: str, words: Mapping[str, Any]
) -> RefusedDefinition:
    """Return the definition of a target that policy refuses."""
    return RefusedDefinition(
        server=server,
        kind=target.type,
        target=target.name or target.uri or "",
        sha256=definition.sha256,
        revision=revision,
        digests=definition.parts,
        words=words,
    )


def refused_instructions(server: str, removed: RemovedInstructions, *, revision: str) -> RefusedDefinition:
    """Return the removed instructions of a server, as a definition with one part."""
    return RefusedDefinition(
        server=server,
        kind=KEY,
        target="",
        sha256=removed.sha256,
        revision=revision,
        digests={KEY: removed.sha256},
        words={KEY: removed.text},
    )


def packed(refused: RefusedDefinition) -> str:
    """Return the words of a definition as a text, in the order of `PARTS`."""
    words: list[str] = []
    left = _MOST_TOGETHER
    for part in [*PARTS, *sorted(refused.words.keys() - PARTS.keys())]:
        size = _size(refused.words[part]) if part in refused.words else 0
        if 0 < size <= min(MOST_CHARACTERS, left):
            left -= size
            words += _members(part, refused.words[part])
    about = f'"target": {json.dumps(refused.target)}, "digests": {json.dumps(dict(refused.digests))}'
    return f'{{{about}, "words": {{{", ".join(words)}}}}}'


def unpacked(text: str) -> PresentedWords | None:
    """Return the content of a text; null if it is not such a text."""
    try:
        return msgspec.convert(json.loads(text), PresentedWords)
    except (ValueError, RecursionError):
        return None


def _members(part: str, value: Any) -> list[str]:
    """Return the member of a JSON object; nothing if Python can read but not write it, such as 5,000 digits."""
    try:
        return [f"{json.dumps(part)}: {json.dumps(value)}"]
    except ValueError:
        return []


def _size(value: Any) -> int:
    """Return about how many characters a value has; more than `MOST_CHARACTERS` if it has more or nests too deep."""
    size, here = 0, [value]
    for _ in range(_MOST_LEVELS):
        below: list[Any] = []
        for each in here:
            size += _EACH + _length(each)
            if size > MOST_CHARACTERS:
                return size
            if isinstance(each, dict):
                below += cast("dict[str, Any]", each)
                below += cast("dict[str, Any]", each).values()
            elif isinstance(each, list):
                below += cast("list[Any]", each)
        if not below:
            return size
        here = below
    return MOST_CHARACTERS + 1


def _length(value: Any) -> int:
    """Return the number of characters of a value itself, and the minimum count of its members."""
    match value:
        case str():
            return len(value)
        case int():
            return value.bit_length() // 3
        case dict() | list():
            return _EACH * len(cast("Collection[Any]", value))
        case _:
            return 0
