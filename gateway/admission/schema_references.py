"""References of a JSON Schema document, resolved to the place of a subschema in the same document.

Rule 1: nothing is fetched: a reference to another document names nothing.
Rule 2: a subschema with an `$id` of its own is a resource: references in it are relative to it.
"""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote, urljoin

from gateway.admission.schema_keywords import EARLIEST, REFERENCES_STAND_ALONE
from gateway.admission.schema_properties import is_array, is_object
from gateway.protocol.json_pointers import keys_of

Place = tuple[str | int, ...]
"""The keys and indexes that lead from the root of a document to a value."""
_MOST: Final = 50_000
"""Most values of a document in which identifiers are searched."""


class References:
    """The identifiers of one document."""

    def __init__(self, root: Any, draft: int) -> None:
        """Store the document, and the draft in which it is written."""
        self._root: Final = root
        self._stand_alone: Final = draft <= REFERENCES_STAND_ALONE
        self._id: Final = "id" if draft == EARLIEST else "$id"
        self._resources: Final[dict[str, Place]] = {}
        self._bases: Final[dict[Place, str]] = {}
        """The last name of each resource, to which its references are relative."""
        self._anchors: Final[dict[tuple[Place, str], Place]] = {}
        self._find()

    @property
    def is_one_resource(self) -> bool:
        """True if dynamic references mean the same as static ones: no subschema is a resource of its own."""
        return not self._bases.keys() - {()}

    def named(self, reference: Any, place: Place) -> Place | None:
        """Return the place that a reference at `place` names; null if it names nothing in this document."""
        if type(reference) is not str:
            return None
        document, _, fragment = reference.partition("#")
        resource = self._resource(document, place)
        if resource is None:
            return None
        if fragment[:1] in {"", "/"}:
            return self._pointed(resource, unquote(fragment))
        return self._anchors.get((resource, unquote(fragment)))

    def _resource(self, document: str, place: Place) -> Place | None:
        home = self._home(place)
        if not document:
            return home
        if document in self._resources:
            return self._resources[document]
        return self._resources.get(_joined(self._base(home), document))

    def _home(self, place: Place) -> Place:
        """Return the innermost resource around a place."""
        return next((place[:end] for end in range(len(place), 0, -1) if place[:end] in self._bases), ())

    def _base(self, home: Place) -> str:
        return self._bases.get(home, "")

    def _name(self, name: str, place: Place) -> None:
        if name not in self._resources:
            self._resources[name] = place
            self._bases[place] = name

    def _pointed(self, resource: Place, pointer: str) -> Place | None:
        place, value = resource, self.at(resource)
        for name in keys_of(pointer):
            if is_object(value) and name in value:
                place, value = (*place, name), value[name]
            elif is_array(value) and name.isascii() and name.isdecimal() and int(name[:9]) < len(value):
                place, value = (*place, int(name[:9])), value[int(name[:9])]
            else:
                return None
        return place

    def at(self, place: Place) -> Any:
        """Return the value at a place of the document."""
        value = self._root
        for step in place:
            value = value[step]
        return value

    def _find(self) -> None:
        """Collect resources and anchors; a repeated identifier names the first one."""
        todo: list[tuple[Place, Place, Any]] = [((), (), self._root)]
        for count, (place, home, value) in enumerate(_breadth_first(todo)):
            if count >= _MOST:
                return
            if is_object(value):
                inner = self._identified(place, home, value)
                todo += (((*place, key), inner, below) for key, below in value.items())
            elif is_array(value):
                todo += (((*place, number), home, below) for number, below in enumerate(value))

    def _identified(self, place: Place, home: Place, value: dict[str, Any]) -> Place:
        """Add the identifiers of one subschema, and return the resource of its content."""
        named = value.get(self._id)
        if type(named) is str and named.startswith("#"):
            self._anchors.setdefault((home, named[1:]), place)
        elif type(named) is str and named and not (self._stand_alone and "$ref" in value):
            document = named.removesuffix("#")
            self._name(_joined(self._base(home), document), place)
            self._name(document, place)
            home = place
        for keyword in ("$anchor", "$dynamicAnchor"):
            if type(value.get(keyword)) is str:
                self._anchors.setdefault((home, value[keyword]), place)
        return home


def _breadth_first(todo: list[Any]) -> Iterator[Any]:
    """Yield the entries of a list that grows while it is read, and free each one after use."""
    number = 0
    while number < len(todo):
        entry, todo[number] = todo[number], None
        yield entry
        number += 1


def _joined(base: str, document: str) -> str:
    try:
        return urljoin(base, document)
    except ValueError:
        return document
