"""The events of a YAML text from ruamel.yaml's YAML 1.2 parser, as typed values.

Rule 1: only this module uses the parser. The parser has no type annotations, so its values get types here.
"""

import re
from typing import Any, Final, Literal

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

Kind = Literal["document", "mapping", "sequence", "end", "scalar", "alias"]
_KINDS: Final[dict[str, Kind]] = {
    "DocumentStartEvent": "document",
    "MappingStartEvent": "mapping",
    "SequenceStartEvent": "sequence",
    "MappingEndEvent": "end",
    "SequenceEndEvent": "end",
    "ScalarEvent": "scalar",
    "AliasEvent": "alias",
}

_NOT_FORESEEN: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""Exceptions that the parser raises, in addition to its own errors, for some texts that are not YAML."""
_TOO_HIGH: Final = re.compile(r"\\U(?!000|0010)[0-9a-fA-F]{8}")

MAX_DEPTH: Final = 32
_DEEPER: Final[dict[Kind, int]] = {"mapping": 1, "sequence": 1, "end": -1}


class YamlEvent(Struct, frozen=True, kw_only=True):
    """One event; `line` is 1-based, `tag` is set only if the author wrote it, `plain` means a scalar without quotes."""

    kind: Kind
    line: int
    anchor: str | None
    tag: str | None
    text: str
    plain: bool
    directive: bool


class NotYaml(Struct, frozen=True):
    """The line and the reason of a syntax error."""

    line: int
    said: str


def read_events(text: str) -> list[YamlEvent] | NotYaml:
    """Return the events in order, without stream events and document ends."""
    parser: Any = YAML(typ="safe", pure=True)
    events: list[YamlEvent] = []
    depth = 0
    try:
        for event in parser.parse(text):
            kind = _KINDS.get(type(event).__name__)
            if kind is not None:
                events.append(_event(kind, event))
                depth += _DEEPER.get(kind, 0)
            if depth > MAX_DEPTH:  # the parser's time grows with the square of the depth
                return NotYaml(events[-1].line, f"it is nested deeper than {MAX_DEPTH} levels")
    except MarkedYAMLError as error:
        return _not_yaml(error)
    except YAMLError as error:
        return NotYaml(0, str(error).partition("\n")[0])
    except _NOT_FORESEEN as error:
        return _failed(text, events, error)
    return events


def _failed(text: str, events: list[YamlEvent], error: Exception) -> NotYaml:
    """Return the likely reason why the parser failed: the first suspicious line after the parsed events."""
    after = events[-1].line - 1 if events else 0
    for number, line in enumerate(text.split("\n")[after:], after + 1):
        if _TOO_HIGH.search(line):
            return NotYaml(number, "an escape is above `\\U0010FFFF`, the last character of Unicode")
        if line.startswith("%"):
            return NotYaml(number, "unknown directive")
    return NotYaml(after + 1, f"the parser failed here or later ({type(error).__name__})")


def _not_yaml(error: Any) -> NotYaml:
    mark = error.problem_mark or error.context_mark
    said = " ".join(part for part in (error.context, error.problem) if part)
    return NotYaml(0 if mark is None else mark.line + 1, said)


def _event(kind: Kind, event: Any) -> YamlEvent:
    scalar = kind == "scalar"
    plain = scalar and event.style is None
    tag = getattr(event, "tag", None)
    if plain and tag is None and not event.implicit[0]:
        tag = "!"  # the parser drops the non-specific tag but keeps its meaning: a string
    return YamlEvent(
        kind=kind,
        line=event.start_mark.line + 1,
        anchor=getattr(event, "anchor", None),
        tag=None if tag is None else str(tag),
        text=event.value if scalar else "",
        plain=plain,
        directive=kind == "document" and bool(event.version or event.tags),
    )
