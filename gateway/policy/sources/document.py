"""A YAML file as plain values, and the line of each value.

Rule 1: the schema is the core schema of YAML 1.2: `on`, `yes` and dates are strings, even if other parsers differ.
Rule 2: text that two parsers could read differently is refused: duplicate keys, anchors, aliases, merge keys, tags,
directives, several documents, keys that are not strings, numbers that JSON cannot represent.
Rule 3: every value can be written as JSON in UTF-8. An escaped surrogate pair is one character; half a pair is refused.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct

from gateway.policy.sources.problem import Problem
from gateway.policy.sources.yaml_events import NotYaml, YamlEvent, read_events
from gateway.policy.sources.yaml_mistakes import BOM, plain_scalar, remedy, unseen_characters
from gateway.protocol.json_pointers import escaped

MAX_BYTES: Final = 1024 * 1024
_INT64: Final = range(-(2**63), 2**63)
_LONGEST_INT: Final = 30
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ZERO: Final = re.compile(r"[-+]?[0.]+(?:[eE].*)?")


def _decimal(text: str) -> int:
    """Return the number; for a very long one, another that is too large: Python parses at most 4,300 digits."""
    return int(text) if len(text) <= _LONGEST_INT else _INT64.stop


_CORE: Final[tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...]] = (
    (re.compile(r"(?:null|Null|NULL|~|)"), lambda _: None),
    (re.compile(r"(?:true|True|TRUE)"), lambda _: True),
    (re.compile(r"(?:false|False|FALSE)"), lambda _: False),
    (re.compile(r"[-+]?[0-9]+"), _decimal),
    (re.compile(r"0o[0-7]+"), lambda text: int(text, 0)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), lambda _: float("nan")),
)


class Document(Struct, frozen=True):
    """The value of a file and, for every JSON pointer into it, the line of that value (or of its key)."""

    file: str
    value: Any
    lines: dict[str, int]

    def line(self, pointer: str) -> int:
        """Return the line of the value, or of the nearest enclosing value that exists."""
        while pointer not in self.lines and pointer:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer, 1)

    def problem(self, pointer: str, what: str, remedy: str = "") -> Problem:
        """Return a problem at the line of a JSON pointer."""
        return Problem(self.file, self.line(pointer), what, remedy)


def step(pointer: str, key: str | int) -> str:
    """Return the JSON pointer (RFC 6901) extended by one key."""
    return f"{pointer}/{escaped(key)}"


def read_document(file: str, content: bytes) -> Document | list[Problem]:
    """Return the document, or every problem in it. After a syntax error, the rest of this file is not read."""
    if len(content) > MAX_BYTES:
        return [Problem(file, 0, f"is larger than {MAX_BYTES} bytes.", "Split it into several files.")]
    try:
        text = content.decode("utf-8").removeprefix(BOM)
    except UnicodeDecodeError as error:
        return [Problem(file, content[: error.start].count(b"\n") + 1, "is not UTF-8.", "Save the file as UTF-8.")]
    unseen = list(unseen_characters(file, text))
    if unseen:
        return unseen
    events = read_events(text)
    if isinstance(events, NotYaml):
        return [Problem(file, events.line, f"is not YAML: {events.said}.", remedy(text, events))]
    reading = _Reading(file)
    value = reading.stream(iter(events))
    return reading.problems or Document(file, value, reading.lines)


class _Reading:
    """One pass over the events of one file, which collects problems and continues."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.lines: dict[str, int] = {}

    def stream(self, events: Iterator[YamlEvent]) -> Any:
        documents: list[Any] = []
        for event in events:
            if event.directive:
                self._refuse(event, "has a YAML directive.", "Remove the line that starts with `%`.")
            if documents:
                self._refuse(event, "contains a second document.", "Keep one document per file.")
            documents.append(self._value(next(events), events, ""))
        if not documents:
            self.problems.append(Problem(self.file, 0, "is empty.", "Fill it or remove it."))
            return None
        return documents[0]

    def _refuse(self, event: YamlEvent, what: str, remedy: str) -> None:
        self.problems.append(Problem(self.file, event.line, what, remedy))

    def _value(self, event: YamlEvent, events: Iterator[YamlEvent], pointer: str) -> Any:
        self.lines.setdefault(pointer, event.line)
        if event.kind == "alias":
            said = f'Write the value out. If it is a glob, quote it: "*{event.anchor}".'
            self._refuse(event, f"uses the alias `*{event.anchor}`.", said)
            return None
        if event.anchor is not None:
            said = "Write the value out wherever it is used. If the `&` is part of the value, quote it."
            self._refuse(event, f"defines the anchor `&{event.anchor}`.", said)
        if event.kind == "scalar":
            return self._scalar(event)
        self._refuse_tag(event)
        return self._sequence(events, pointer) if event.kind == "sequence" else self._mapping(events, pointer)

    def _sequence(self, events: Iterator[YamlEvent], pointer: str) -> list[Any]:
        items: list[Any] = []
        while (event := next(events)).kind != "end":
            items.append(self._value(event, events, step(pointer, len(items))))
        return items

    def _mapping(self, events: Iterator[YamlEvent], pointer: str) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while (event := next(events)).kind != "end":
            key = self._key(event, events)
            place = step(pointer, key)
            if key in entries:
                self._refuse(event, f"repeats the key `{key}` of line {self.lines[place]}.", "Keep one of them.")
            self.lines.setdefault(place, event.line)
            entries[key] = self._value(next(events), events, place)
        return entries

    def _key(self, event: YamlEvent, events: Iterator[YamlEvent]) -> str:
        key = self._scalar(event) if event.kind == "scalar" else _skipped(event, events)
        if event.anchor is not None:
            self._refuse(event, "has a key with an anchor or alias.", "Write the key out.")
        if key == "<<" and event.plain:
            self._refuse(event, "uses the merge key `<<`.", "Write the values out.")
        if isinstance(key, str):
            return key
        said = "Put the key in quotes." if event.kind == "scalar" else "Replace a `{{placeholder}}` with a value."
        self._refuse(event, "has a key that is not a string.", said)
        return f"\0{len(self.problems)}"

    def _scalar(self, event: YamlEvent) -> Any:
        self._refuse_tag(event)
        if not event.plain:
            return self._text(event)
        mistake = plain_scalar(event.text)
        if mistake is not None:
            self._refuse(event, *mistake)
        value = _core(event.text)
        shown = _shortened(event.text)
        if isinstance(value, float) and not abs(value) < float("inf"):
            self._refuse(event, f"has the number `{shown}`, which JSON cannot represent.", "Put it in quotes.")
        if value == 0.0 and isinstance(value, float) and not _ZERO.fullmatch(event.text):
            self._refuse(event, f"has the number `{shown}`, which would become 0.", "Put it in quotes.")
        if isinstance(value, int) and value not in _INT64:
            self._refuse(event, f"has the number `{shown}`, which does not fit in 64 bits.", "Put it in quotes.")
        return value

    def _text(self, event: YamlEvent) -> str:
        """Return the text, with each escaped surrogate pair replaced by the character that it encodes."""
        if not _SURROGATE.search(event.text):
            return event.text
        text = event.text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        found = _SURROGATE.search(text)
        if found:
            said = f"has `\\u{ord(found[0]):04x}`, one half of a surrogate pair, which UTF-8 cannot encode."
            self._refuse(event, said, "Write the character itself, or both halves of the pair.")
        return _SURROGATE.sub("\ufffd", text)

    def _refuse_tag(self, event: YamlEvent) -> None:
        if event.tag is not None:
            self._refuse(event, f"uses the tag `{event.tag}`.", "Remove the tag; quote the value if it is a string.")


def _skipped(event: YamlEvent, events: Iterator[YamlEvent]) -> None:
    """Consume the events of a node, without recursion."""
    depth = 1 if event.kind in {"mapping", "sequence"} else 0
    while depth:
        kind = next(events).kind
        depth += (kind in {"mapping", "sequence"}) - (kind == "end")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_INT else f"{text[:_LONGEST_INT]}…"


def _core(text: str) -> Any:
    for pattern, made in _CORE:
        if pattern.fullmatch(text):
            return made(text)
    return text
