"""The reviewed words of a definition as lossless YAML that people can read in `git diff`.

Rule 1: a text with line breaks is a literal block; a long line is folded after its sentences. Text that a block cannot
contain, and every invisible character, is escaped in double quotes, one line of YAML per line of the text.
Rule 2: written YAML is read back. A part that does not come back unchanged is left out, and the reason is returned.
"""

import re
from collections.abc import Iterator, Mapping
from io import StringIO
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.emitter import Emitter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted
from ruamel.yaml.scalarstring import FoldedScalarString as Folded
from ruamel.yaml.scalarstring import LiteralScalarString as Literal

from gateway.admission.digests import digest
from gateway.admission.visible_text import escape, is_unseen
from gateway.artifact.json_narrowing import is_array, is_object
from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.secret_shapes import secrets_in

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_LONG: Final = 100
"""Length from which a text is folded."""
_MOST: Final = 100_000
"""Maximum bytes of YAML for one part."""
_AROUND: Final = 3
"""Levels of a catalog entry above the parts."""
_END: Final = re.compile(r"(?<=[.!?:;]) (?=\S)")


class ReviewEmitter(Emitter):
    """A YAML emitter that writes double-quoted texts line by line and escapes invisible characters."""

    def write_double_quoted(self, text: Any, split: Any = True) -> None:  # noqa: FBT002 - as ruamel declares it
        """Write a text. A key stays on one line and is ASCII, so that look-alike names cannot be confused."""
        emitter: Any = self
        emitter.write_indicator('"', True)  # noqa: FBT003 - ruamel's signature
        pieces = _quoted_lines(text) if split else [_escaped(text, ascii_only=True)]
        for number, piece in enumerate(pieces):
            if number:
                emitter.write_indent()
            emitter.column += len(piece)
            emitter.stream.write(piece)
            emitter.whitespace = emitter.indention = False
        emitter.write_indicator('"', False)  # noqa: FBT003 - as above


def review_yaml() -> Any:
    """Return the YAML of catalog entries, which preserves comments, quotes and order."""
    yaml: Any = YAML()
    yaml.Emitter = ReviewEmitter
    yaml.preserve_quotes = True
    yaml.allow_unicode = True
    yaml.width = 1 << 20
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def yaml_text(text: str) -> str:
    """Return a text that every YAML reader parses as a string."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else Quoted(text)


def reviewed_parts(fields: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """Return the parts of a definition for a catalog entry, and the reasons for the parts that were left out.

    All parts are read back together, and each separately only if one of them does not come back unchanged.
    """
    together = _nodes(fields, blocks=True)
    if _lost(together, fields) is None:
        return together, {}
    made, left_out = CommentedMap(), dict[str, str]()
    for part, value in fields.items():
        held = _held({part: value})
        if isinstance(held, _Lost):
            left_out[part] = f"`{part}` {held.why}"
        else:
            made[part] = held[part]
    return made, left_out


class _Lost(Struct, frozen=True):
    """The reason why parts do not come back unchanged; `final` if another form would not help."""

    why: str
    final: bool = True


def _held(fields: Mapping[str, Any]) -> Any:
    """Return parts as YAML that reads back unchanged, with blocks if possible, or the reason why they are lost."""
    made = _nodes(fields, blocks=True)
    lost = _lost(made, fields)
    if lost is not None and not lost.final:
        made = _nodes(fields, blocks=False)
        lost = _lost(made, fields)
    return lost or made


def _lost(made: Any, fields: Mapping[str, Any]) -> _Lost | None:
    """Write parts as deep as in an entry, read them back, and return why they are lost; null if they are not."""
    nested: Any = made
    for _ in range(_AROUND):
        nested = CommentedMap({"a": nested})
    stream = StringIO()
    review_yaml().dump(nested, stream)
    text = stream.getvalue().encode("utf-8", "replace")
    if len(text) > _MOST:
        return _Lost(f"is longer than {_MOST} bytes")
    found = read_document("", text)
    if isinstance(found, Document):
        if secrets_in(found):
            return _Lost("looks like it contains a secret")
        inner = found.value
        for _ in range(_AROUND):
            inner = inner["a"]
        if inner.keys() == fields.keys() and all(digest(inner[part]) == digest(fields[part]) for part in fields):
            return None
    return _Lost("has values that a catalog cannot contain", final=False)


def _nodes(fields: Mapping[str, Any], *, blocks: bool) -> Any:
    return CommentedMap({part: _node(value, blocks=blocks) for part, value in fields.items()})


def _node(value: Any, *, blocks: bool) -> Any:
    """Return a JSON value of a server as YAML, with every string quoted or in a block."""
    if is_object(value):
        return CommentedMap({yaml_text(key): _node(inner, blocks=blocks) for key, inner in value.items()})
    if is_array(value):
        return [_node(each, blocks=blocks) for each in value]
    if not isinstance(value, str):
        return value
    return (_block(value) if blocks else None) or Quoted(value)


def _block(text: str) -> Any:
    """Return a text as a block; None if it is short, or if a block would change it."""
    lines = text.removesuffix("\n").split("\n")
    if any(is_unseen(letter) for line in lines for letter in line):
        return None
    if not lines[0].strip() or lines[0].startswith(" ") or any(line != line.rstrip() for line in lines):
        return None
    if len(lines) > 1:
        return Literal(text) if lines[-1] else None
    ends = [found.start() for found in _END.finditer(text)]
    if len(text) <= _LONG or not ends or "\n" in text:
        return None
    folded: Any = Folded(text)
    folded.fold_pos = ends
    return folded


def _quoted_lines(text: str) -> Iterator[str]:
    """Yield the lines of a double-quoted text; each ends with a backslash, so that YAML adds nothing in between."""
    pieces = [piece for line in text.splitlines(keepends=True) for piece in _sentences(line)] or [""]
    for number, piece in enumerate(pieces):
        shown = _escaped(piece)
        if number and shown.startswith(" "):
            shown = f"\\{shown}"
        yield shown if number == len(pieces) - 1 else f"{shown}\\"


def _sentences(line: str) -> list[str]:
    """Return a line, or its sentences if it is long."""
    if len(line) <= _LONG:
        return [line]
    starts = [0, *(found.start() + 1 for found in _END.finditer(line)), len(line)]
    return [line[start:end] for start, end in pairwise(starts)]


def _escaped(text: str, *, ascii_only: bool = False) -> str:
    return "".join(_letter(letter, ascii_only=ascii_only) for letter in text)


def _letter(letter: str, *, ascii_only: bool) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter == "\n":
        return "\\n"
    return escape(letter) if is_unseen(letter) or (ascii_only and not letter.isascii()) else letter
