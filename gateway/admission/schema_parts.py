"""A JSON Schema document as the subschemas that are reached from its root, each with its usable keywords.

Rule 1: a subschema is read once, no matter how often it is referenced; an unreachable subschema is not read.
Rule 2: a keyword with an invalid value is left out with a reason. A subschema that may accept more than its author
intended is loose.
Rule 3: the number, the depth, the references and the patterns of subschemas are bounded.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from gateway.admission.schema_keywords import (
    EARLIEST,
    LATEST,
    LISTS,
    MAPS,
    ONE,
    REFERENCES,
    REFERENCES_STAND_ALONE,
    complaint,
    has,
    is_assertion,
    names_complaint,
    pattern_complaint,
)
from gateway.admission.schema_properties import is_array, is_object
from gateway.admission.schema_references import Place, References
from gateway.protocol.json_pointers import pointer_to

MOST_PARTS: Final = 10_000
MOST_TARGETS: Final = 500
MOST_PATTERNS: Final = 50
"""Most different patterns. One may take the library 20 milliseconds, whether it is usable or not."""
DEEPEST: Final = 100
_SHOWN: Final = 80


class Child:
    """A subschema of a subschema, under a keyword and its key there."""

    __slots__ = ("key", "keyword", "part")

    def __init__(self, keyword: str, key: str | int | None, part: "Part") -> None:
        """Store the keyword as draft 2020-12 spells it."""
        self.keyword: Final = keyword
        self.key: Final = key
        self.part: Final = part


class Part:
    """One subschema; keywords are named as draft 2020-12 spells them."""

    def __init__(self, place: Place) -> None:
        """Store its place in the document."""
        self.place: Final = place
        self.constant: bool | None = None
        """The boolean that it is or represents; otherwise null."""
        self.is_nullable = False
        self.is_target = False
        """True if a reference names it."""
        self.lists_items = False
        """True if `items` holds a list, as drafts before 2020-12 spell `prefixItems`."""
        self.plain: Final[dict[str, Any]] = {}
        """The assertions that judge by their value alone."""
        self.children: Final[list[Child]] = []
        self.parents: Final[list[tuple[Part, str]]] = []
        self.left_out: Final[dict[tuple[str, str | int | None], str]] = {}
        """The reasons for left-out entries, by keyword and the key in it; the keyword is empty for the whole
        subschema."""
        self.cause = ""
        """Reason why it may accept more than its author intended; empty if it does not."""

    @property
    def is_loose(self) -> bool:
        """True if it may accept more than its author intended."""
        return bool(self.cause)

    def has(self, keyword: str) -> bool:
        """Return whether a keyword is in use."""
        found = keyword in self.plain or any(child.keyword == keyword for child in self.children)
        return found and (keyword, None) not in self.left_out

    def leave_out(self, keyword: str, key: str | int | None, why: str) -> None:
        """Leave out a keyword, or one entry of it."""
        self.left_out.setdefault((keyword, key), why)
        self.cause = self.cause or f"`{pointer_to(self.written_at(keyword, key))[:_SHOWN]}`, which {why}"

    def written_at(self, keyword: str, key: str | int | None) -> Place:
        """Return the place of a keyword, or of one entry of it, in the document."""
        if not keyword:
            return self.place
        spelled = _RESPELLED.get(keyword, keyword) if self.lists_items else keyword
        return (*self.place, spelled) if key is None else (*self.place, spelled, key)


_RESPELLED: Final = {"prefixItems": "items", "items": "additionalItems"}


class SchemaReader:
    """Reader of one document."""

    def __init__(self, root: Any, draft: int, is_pattern: Callable[[str], bool]) -> None:
        """Store the document, its draft, and the function that decides whether a pattern can be run."""
        self._root: Final = root
        self._draft: Final = draft
        self._is_pattern: Final = is_pattern
        self._patterns: Final[dict[str, str]] = {}
        """The complaint about each pattern that was checked; empty for a usable one."""
        self._references: Final = References(root, draft)
        self._parts: Final[dict[Place, Part]] = {}
        self._todo: Final[list[tuple[Part, Any]]] = []
        self._targets: Final[set[Place]] = set()

    def read(self) -> tuple[Part, list[Part]]:
        """Return the root, and every subschema that is reached from it."""
        root = self._part((), self._root)
        for part, value in self._todo:
            self._read(part, value)
        return root, list(self._parts.values())

    def _part(self, place: Place, value: Any) -> Part:
        part = self._parts.get(place)
        if part is not None:
            return part
        part = Part(place)
        if len(self._parts) >= MOST_PARTS or len(place) > DEEPEST:
            part.constant = True
            part.leave_out("", None, f"is beyond {MOST_PARTS} subschemas or {DEEPEST} levels")
            return part
        self._parts[place] = part
        self._todo.append((part, value))
        return part

    def _read(self, part: Part, value: Any) -> None:
        if isinstance(value, bool):
            part.constant = value
            return
        if not is_object(value):
            part.constant = True
            part.leave_out("", None, "is not a schema")
            return
        part.is_nullable = value.get("nullable") is True
        if part.is_nullable:
            part.cause = f"`{pointer_to(part.place)[:_SHOWN]}`, which accepts null by `nullable`"
        if "$ref" in value and self._draft <= REFERENCES_STAND_ALONE:
            self._reference(part, "$ref", value["$ref"])
            return
        part.lists_items = self._draft < LATEST and is_array(value.get("items"))
        for keyword, content in _respelled(value, lists_items=part.lists_items):
            if has(self._draft, keyword) or (part.lists_items and keyword == "prefixItems"):
                self._keyword(part, keyword, content)
        if self._draft == EARLIEST:
            _make_exclusive(part)

    def _keyword(self, part: Part, keyword: str, content: Any) -> None:
        if keyword in REFERENCES:
            self._reference(part, keyword, content)
        elif keyword in ONE:
            self._child(part, keyword, None, content)
        elif keyword in LISTS:
            self._list(part, keyword, content)
        elif keyword in MAPS:
            self._map(part, keyword, content)
        elif keyword == "pattern":
            self._assertion(part, keyword, content, self._pattern_complaint(content))
        elif is_assertion(keyword):
            self._assertion(part, keyword, content, complaint(keyword, content, self._draft))

    def _pattern_complaint(self, content: Any) -> str:
        if type(content) is not str:
            return pattern_complaint(content, self._is_pattern)
        if content not in self._patterns:
            if len(self._patterns) >= MOST_PATTERNS:
                return f"is one of more than {MOST_PATTERNS} patterns"
            self._patterns[content] = pattern_complaint(content, self._is_pattern)
        return self._patterns[content]

    def _assertion(self, part: Part, keyword: str, content: Any, why: str) -> None:
        part.plain[keyword] = content
        if why:
            part.leave_out(keyword, None, why)

    def _list(self, part: Part, keyword: str, content: Any) -> None:
        if not is_array(content) or not content:
            part.leave_out(keyword, None, "must be a list of at least one schema")
            return
        for number, inner in enumerate(content):
            self._child(part, keyword, number, inner)

    def _map(self, part: Part, keyword: str, content: Any) -> None:
        if not is_object(content):
            part.leave_out(keyword, None, "must be an object of schemas")
            return
        if not content:
            part.plain[keyword] = {}
        for name, inner in content.items():
            why = self._pattern_complaint(name) if keyword == "patternProperties" else ""
            if keyword == "dependencies" and is_array(inner):
                why = names_complaint(inner)
                part.plain.setdefault(keyword, {})[name] = inner
            elif not why:
                self._child(part, keyword, name, inner)
            if why:
                part.leave_out(keyword, name, why)

    def _child(self, part: Part, keyword: str, key: str | int | None, content: Any) -> None:
        child = self._part(part.written_at(keyword, key), content)
        child.parents.append((part, keyword))
        part.children.append(Child(keyword, key, child))

    def _reference(self, part: Part, keyword: str, reference: Any) -> None:
        place = self._references.named(reference, part.place)
        if place is None:
            why = f"names nothing in this schema (`{str(reference)[:_SHOWN]}`), and nothing is fetched"
            part.leave_out(keyword, None, why)
            return
        if keyword != "$ref" and not self._references.is_one_resource:
            part.leave_out(keyword, None, "is dynamic, in a document of several resources")
            return
        if place not in self._targets and len(self._targets) >= MOST_TARGETS:
            part.leave_out(keyword, None, f"names one of more than {MOST_TARGETS} definitions")
            return
        self._targets.add(place)
        target = self._part(place, self._references.at(place))
        target.is_target = True
        target.parents.append((part, keyword))
        part.children.append(Child(keyword, None, target))


def _respelled(value: dict[str, Any], *, lists_items: bool) -> Iterator[tuple[str, Any]]:
    """Return the keywords of a subschema; those without effect next to others are left out."""
    for keyword, content in value.items():
        if keyword in {"then", "else"} and "if" not in value:
            continue
        if keyword in {"minContains", "maxContains"} and "contains" not in value:
            continue
        if lists_items and keyword == "items":
            if content:
                yield "prefixItems", content
        elif lists_items and keyword == "prefixItems":
            continue
        elif lists_items and keyword == "additionalItems":
            yield "items", content
        else:
            yield keyword, content


def _make_exclusive(part: Part) -> None:
    """Write the exclusive limits of draft 4, which are flags, as numbers."""
    for keyword, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        flag = part.plain.pop(keyword, False)
        if flag is True and (keyword, None) not in part.left_out and limit in part.plain:
            usable = (limit, None) not in part.left_out
            if usable:
                part.plain[keyword] = part.plain.pop(limit)
